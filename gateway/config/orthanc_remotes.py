"""DicomModalities and OrthancPeers: whom to send to, and who may call."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from gateway.config.manufacturers import GENERIC, MANUFACTURERS
from gateway.config.orthanc_import import Import
from gateway.config.orthanc_keys import DEFAULTS
from gateway.config.values import LONGEST_S
from gateway.dicom import syntaxes
from gateway.dicom.rates import AS_STORED

_MODALITIES, _PEERS = "DicomModalities", "OrthancPeers"
_OPERATIONS = ("Echo", "EventReport", "Find", "FindWorklist", "Get", "Move", "NAction", "Store")
_COMMITMENT = ("EventReport", "NAction")
_MODALITY_LENGTHS, _PEER_LENGTHS = (3, 4), (1, 3)
_PEER_KEYS = frozenset(
    (
        "Url", "URL", "Username", "Password", "HttpHeaders", "Timeout", "CertificateFile",
        "CertificateKeyFile", "CertificateKeyPassword", "Pkcs11",
    )
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def modalities(found: Import) -> None:
    """Each modality is a destination."""
    if found.boolean("DicomModalitiesInDatabase"):
        found.note(
            "DicomModalitiesInDatabase",
            "the database of Orthanc is not read: put its modalities into DicomModalities",
        )
        return
    for name, settings in _objects(found, _MODALITIES, ("AET", "Host", "Port", "Manufacturer")):
        fields = _Fields(found, _MODALITIES, name, settings)
        if fields.boolean("UseDicomTls", False):
            fields.fault("UseDicomTls", "DICOM over TLS is not offered yet", "set it to false")
        found.put(_MODALITIES, ("destinations", name), _destination(found, fields))


def callers(found: Import) -> None:
    """Who may call, and for what.

    A service that Orthanc always allows is allowed to everybody, also where a modality says else;
    when there is none, only modalities may call at all.
    """
    always = sorted(
        service
        for service, key in (("echo", "DicomAlwaysAllowEcho"), ("store", "DicomAlwaysAllowStore"))
        if found.boolean(key)
    )
    key = "DicomAlwaysAllowEcho" if "DicomAlwaysAllowEcho" in found else "DicomAlwaysAllowStore"
    found.put(key, ("dicom", "unknown_callers_may"), always)
    if always == ["echo", "store"]:
        return
    listed = list(_callers(found, always))
    found.put(_MODALITIES, ("dicom", "callers"), listed)
    found.put(key, ("dicom", "allow_unknown_callers"), bool(always))
    if not always and not listed:
        found.put(key, ("dicom", "enabled"), False)
        found.note(key, "no modality is listed, so nobody could call: DICOM is not received")


def peers(found: Import) -> None:
    """Each peer is one of ours."""
    if found.boolean("OrthancPeersInDatabase"):
        found.note(
            "OrthancPeersInDatabase",
            "the database of Orthanc is not read: put its peers into OrthancPeers",
        )
        return
    for name, settings in _objects(found, _PEERS, ("Url", "Username", "Password")):
        fields = _Fields(found, _PEERS, name, settings)
        if fields.boolean("Pkcs11", False):
            fields.fault("Pkcs11", "smart cards are not offered")
        found.put(_PEERS, ("peers", name), _peer(found, fields))


class _Fields:
    """The fields of one modality or peer."""

    def __init__(self, found: Import, key: str, name: str, settings: Mapping[str, Any]) -> None:
        self._found = found
        self._key = key
        self._name = name
        self.settings = settings

    def boolean(self, field: str, default: bool) -> bool:
        value = self.settings.get(field, default)
        if isinstance(value, bool):
            return value
        self.fault(field, "is not true or false")
        return default

    def seconds(self, field: str) -> int:
        """0 when the usual is meant."""
        value = self.settings.get(field, 0)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        self.fault(field, "is not a whole number of seconds, without quotes")
        return 0

    def fault(self, field: str, problem: str, remedy: str = "") -> None:
        self._found.fault(self._key, f"{self._name}.{field}: {problem}", remedy)


def _objects(
    found: Import, key: str, order: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and fields of each remote; one that is written as a list as if it were an object."""
    lengths = _MODALITY_LENGTHS if key == _MODALITIES else _PEER_LENGTHS
    for name, value in found.table(key).items():
        if not _NAME.fullmatch(name):
            found.fault(key, f"{name!r} is not a name", "letters, digits, dashes and underscores")
        elif isinstance(value, dict):
            yield name, value
        elif isinstance(value, list) and len(value) in lengths:
            yield name, dict(zip(order, value, strict=False))
        else:
            found.fault(key, f"{name} is neither an object nor [{', '.join(order)}]")


def _destination(found: Import, fields: _Fields) -> dict[str, Any]:
    settings = fields.settings
    destination: dict[str, Any] = {
        name: settings[field]
        for name, field in (("aet", "AET"), ("host", "Host"))
        if field in settings
    }
    destination |= _port(settings)
    if settings.get("LocalAet"):
        destination["calling_aet"] = settings["LocalAet"]
    manufacturer = settings.get("Manufacturer", GENERIC)
    if manufacturer not in MANUFACTURERS:
        fields.fault("Manufacturer", f"{manufacturer!r} is not known", ", ".join(MANUFACTURERS))
    timeout_s = fields.seconds("Timeout") or found.integer("DicomScuTimeout") or LONGEST_S
    steps = ("connect_timeout_s", "acse_timeout_s", "dimse_timeout_s")
    may_transcode = found.boolean("TranscodeDicomProtocol") and fields.boolean(
        "AllowTranscoding", True
    )
    return destination | {
        "manufacturer": MANUFACTURERS.get(manufacturer, GENERIC),
        "forbidden": _forbidden(fields),
        "may_transcode": may_transcode,
        "linger_s": found.integer("DicomAssociationCloseDelay"),
        "syntaxes": _ladder(found),
        **dict.fromkeys(steps, timeout_s),
    }


def _port(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A number, or one in quotes: Orthanc takes both."""
    if "Port" not in settings:
        return {}
    port = settings["Port"]
    return {"port": int(port) if isinstance(port, str) and port.isdecimal() else port}


def _forbidden(fields: _Fields) -> list[str]:
    forbidden = {name for name in _OPERATIONS if not fields.boolean(f"Allow{name}", True)}
    if "AllowStorageCommitment" in fields.settings:
        allowed = fields.boolean("AllowStorageCommitment", True)
        forbidden = forbidden - set(_COMMITMENT) if allowed else forbidden | set(_COMMITMENT)
    return sorted(forbidden)


def _ladder(found: Import) -> list[str]:
    """As stored; where that is not accepted, the syntax that Orthanc prefers, else native ones."""
    key = "DicomScuPreferredTransferSyntax"
    preferred = found.text(key)
    if preferred == DEFAULTS[key]:
        return [AS_STORED]
    if preferred not in {syntax.uid for syntax in syntaxes.ALL}:
        found.fault(key, f"{preferred!r} is no transfer syntax")
        return [AS_STORED]
    return [AS_STORED, preferred]


def _callers(found: Import, always: list[str]) -> Iterator[dict[str, Any]]:
    check_host = found.boolean("DicomCheckModalityHost")
    for name, settings in _objects(found, _MODALITIES, ("AET", "Host", "Port", "Manufacturer")):
        fields = _Fields(found, _MODALITIES, name, settings)
        rights = {
            service
            for service, field in (("echo", "AllowEcho"), ("store", "AllowStore"))
            if service in always or fields.boolean(field, True)
        }
        caller: dict[str, Any] = {"aet": settings.get("AET"), "allow": sorted(rights)}
        if check_host:
            if not _is_address(settings.get("Host")):
                fields.fault("Host", "is not an address, which DicomCheckModalityHost needs")
            caller["networks"] = [settings.get("Host")]
            if always:  # from elsewhere it is like anybody else
                yield {"aet": settings.get("AET"), "allow": always}
        yield caller


def _is_address(host: Any) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _peer(found: Import, fields: _Fields) -> dict[str, Any]:
    settings = fields.settings
    peer: dict[str, Any] = {
        name: settings[field]
        for name, field in (
            ("url", "Url"), ("url", "URL"), ("username", "Username"), ("password", "Password"),
            ("headers", "HttpHeaders"), ("private_key_password", "CertificateKeyPassword"),
        )
        if field in settings
    }  # fmt: skip
    for name, field in (("certificate", "CertificateFile"), ("private_key", "CertificateKeyFile")):
        if file := settings.get(field):
            peer[name] = str(found.path(_PEERS, str(file)))
    peer["timeout_s"] = (
        fields.seconds("Timeout") or found.integer("HttpTimeout") or DEFAULTS["HttpTimeout"]
    )
    peer["properties"] = {
        name: str(value) for name, value in settings.items() if name not in _PEER_KEYS
    }
    return peer
