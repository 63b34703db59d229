"""What becomes of each key of Orthanc's configuration; see orthanc_import.py."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.config.orthanc_import import Import
from gateway.config.orthanc_keys import DEFAULTS
from gateway.config.orthanc_remotes import callers, modalities, peers
from gateway.config.schema import Place
from gateway.config.values import LONGEST_S
from gateway.dicom import charsets, syntaxes

OUR_FOLDER = "gateway"
"""The folder in StorageDirectory that holds our data: Orthanc's own files are not touched."""
_USUAL_HTTP_TIMEOUT_S = 60
_FAMILIES = {"Mpeg4TransferSyntaxAccepted": ("mpeg4*",), "H265TransferSyntaxAccepted": ("hevc*",)}
_DEFAULT_USER = "orthanc"

_BOOLEANS: Mapping[str, Place] = {
    "CheckRevisions": ("rest", "check_revisions"),
    "DeflatedTransferSyntaxAccepted": ("dicom", "syntaxes", "deflated"),
    "DicomCheckCalledAet": ("dicom", "check_called_aet"),
    "DicomServerEnabled": ("dicom", "enabled"),
    "ExecuteLuaEnabled": ("http", "execute_lua"),
    "HttpCompressionEnabled": ("http", "compression"),
    "HttpServerEnabled": ("http", "enabled"),
    "Jpeg2000TransferSyntaxAccepted": ("dicom", "syntaxes", "jpeg2000"),
    "JpegLosslessTransferSyntaxAccepted": ("dicom", "syntaxes", "jpeg_lossless"),
    "JpegTransferSyntaxAccepted": ("dicom", "syntaxes", "jpeg"),
    "JpipTransferSyntaxAccepted": ("dicom", "syntaxes", "jpip"),
    "Mpeg2TransferSyntaxAccepted": ("dicom", "syntaxes", "mpeg2"),
    "RemoteAccessAllowed": ("http", "remote_access"),
    "RestApiWriteToFileSystemEnabled": ("http", "write_files"),
    "RleTransferSyntaxAccepted": ("dicom", "syntaxes", "rle"),
    "SaveJobs": ("jobs", "durable"),
    "UnknownSopClassAccepted": ("dicom", "accept_unknown_sop_classes"),
}
_NUMBERS: Mapping[str, Place] = {
    "ConcurrentJobs": ("jobs", "concurrent"),
    "DicomLossyTranscodingQuality": ("codecs", "quality"),
    "DicomPort": ("dicom", "port"),
    "HttpPort": ("http", "port"),
    "JobsHistorySize": ("jobs", "history"),
    "LuaHeartBeatPeriod": ("scripts", "heartbeat_s"),
    "MaximumPatientCount": ("store", "maximum_patients"),
    "MaximumPduLength": ("dicom", "maximum_pdu_bytes"),
    "MaximumStorageSize": ("store", "maximum_size_mb"),
    "StableAge": ("store", "stable_age_s"),
}
_TEXTS: Mapping[str, Place] = {"DicomAet": ("dicom", "aet"), "Name": ("rest", "name")}


def _simple(found: Import) -> None:
    """Keys whose value is ours as it is."""
    tables: tuple[tuple[Mapping[str, Place], Callable[[str], Any]], ...] = (
        (_BOOLEANS, found.boolean),
        (_NUMBERS, found.integer),
        (_TEXTS, found.text),
    )
    for places, read in tables:
        for key, place in places.items():
            if key in found or key in DEFAULTS:
                found.put(key, place, read(key))


def _times(found: Import) -> None:
    """To Orthanc, 0 means no limit, or the usual one."""
    silent_s = found.integer("DicomScpTimeout") or LONGEST_S
    found.put("DicomScpTimeout", ("dicom", "idle_timeout_s"), silent_s)
    http_s = found.integer("HttpTimeout") or _USUAL_HTTP_TIMEOUT_S
    found.put("HttpTimeout", ("scripts", "http_timeout_s"), http_s)


def _folders(found: Import) -> None:
    storage = found.path("StorageDirectory", found.text("StorageDirectory"))
    folder = storage / OUR_FOLDER
    found.put("StorageDirectory", ("store", "folder"), str(folder))
    found.note(
        "StorageDirectory",
        f"data is kept in {folder}; what Orthanc has stored is neither read nor changed",
    )
    if "IndexDirectory" in found and found.path("IndexDirectory", found.text("IndexDirectory")) != (
        storage
    ):
        found.note("IndexDirectory", f"not supported: the index is in {folder}, too")


def _scripts(found: Import) -> None:
    paths = [found.path("LuaScripts", name) for name in found.texts("LuaScripts")]
    for path in paths:
        if not path.is_file():
            found.fault("LuaScripts", f"{path} is not a file")
    found.put("LuaScripts", ("scripts", "legacy"), [str(path) for path in paths])
    # Not beside the configuration: a legacy script that lies there would run twice.
    folder = found.path("StorageDirectory", found.text("StorageDirectory")) / OUR_FOLDER / "scripts"
    found.put("LuaScripts", ("scripts", "folder"), str(folder))


def _encoding(found: Import) -> None:
    """In any case, as Orthanc takes it."""
    known = {name.lower(): name for name in charsets.ENCODINGS}
    name = found.text("DefaultEncoding")
    place = ("dicom", "default_encoding")
    found.put("DefaultEncoding", place, known.get(name.lower(), name))


def _accepted_syntaxes(found: Import) -> None:
    key = "AcceptedTransferSyntaxes"
    value = found.value(key)
    patterns = [value] if isinstance(value, str) else found.texts(key) if key in found else ["*"]
    for pattern in patterns:
        if not syntaxes.matching([pattern]):
            found.note(key, f"{pattern} matches no transfer syntax")
    accepted = syntaxes.matching(patterns)
    for switch, family in _FAMILIES.items():
        if switch in found and not found.boolean(switch):
            key = switch
            accepted = tuple(each for each in accepted if each not in syntaxes.matching(family))
    if accepted != syntaxes.ALL:
        found.put(key, ("dicom", "syntaxes", "accept"), [each.uid for each in accepted])


def _aets(found: Import) -> None:
    strict = found.boolean("StrictAetComparison")
    found.put("StrictAetComparison", ("dicom", "ignore_case_of_aets"), not strict)


def _arrivals(found: Import) -> None:
    if "IngestTranscoding" in found:
        found.put(
            "IngestTranscoding", ("store", "transcode", "to"), found.text("IngestTranscoding")
        )
    for key, name in (
        ("IngestTranscodingOfUncompressed", "uncompressed"),
        ("IngestTranscodingOfCompressed", "compressed"),
    ):
        found.put(key, ("store", "transcode", name), found.boolean(key))


def _store(found: Import) -> None:
    duplicates = "overwrite" if found.boolean("OverwriteInstances") else "discard"
    found.put("OverwriteInstances", ("store", "duplicates"), duplicates)
    mode = found.text("MaximumStorageMode")
    if mode not in ("Recycle", "Reject"):
        found.fault("MaximumStorageMode", f"{mode} is not a mode", "Recycle or Reject")
        return
    found.put("MaximumStorageMode", ("store", "when_full"), mode.lower())


def _http(found: Import) -> None:
    host = "0.0.0.0" if found.boolean("RemoteAccessAllowed") else "127.0.0.1"
    found.put("RemoteAccessAllowed", ("http", "host"), host)
    if found.boolean("SslEnabled"):
        path = str(found.path("SslCertificate", found.text("SslCertificate")))
        for name in ("certificate", "private_key"):  # one file holds both
            found.put("SslCertificate", ("http", name), path)


def _users(found: Import) -> None:
    """Who has to sign in: by default everybody, as soon as other machines may connect."""
    users = {name: str(each) for name, each in found.table("RegisteredUsers").items()}
    remote = found.boolean("RemoteAccessAllowed")
    given = "AuthenticationEnabled" in found
    key = "AuthenticationEnabled" if given else "RemoteAccessAllowed"
    if not (found.boolean(key) if given else remote):
        if users:
            found.note("RegisteredUsers", "nobody is asked for a password: set it to use them")
        return
    if not users and remote:
        users = {_DEFAULT_USER: _DEFAULT_USER}
        found.note(
            key,
            "no user is registered: as Orthanc does, the user orthanc with the password orthanc is"
            " let in, which is not safe; list your own in RegisteredUsers",
        )
    elif not users:
        found.put(key, ("http", "enabled"), False)
        found.note(key, "no user is registered, so nobody could sign in: HTTP is off")
        return
    found.put("RegisteredUsers", ("http", "users"), users)


def _user_metadata(found: Import) -> None:
    for name, number in found.table("UserMetadata").items():
        found.put("UserMetadata", ("rest", "metadata", name), number)


def _user_content(found: Import) -> None:
    for name, value in found.table("UserContentType").items():
        given = value if isinstance(value, list) else [value]
        entry = dict(zip(("number", "media_type"), given, strict=False))
        found.put("UserContentType", ("rest", "attachments", name), entry)


def _dictionary(found: Import) -> None:
    """Tag -> VR, name, and then perhaps lowest and highest multiplicity and a private creator."""
    for tag, value in found.table("Dictionary").items():
        if not isinstance(value, list) or not 2 <= len(value) <= _LONGEST_ENTRY:
            found.fault("Dictionary", f"{tag} is not [VR, name, minimum, maximum, creator]")
            continue
        entry = {"vr": value[0], "name": value[1]}
        if len(value) == _LONGEST_ENTRY:
            entry["creator"] = value[-1]
        found.put("Dictionary", ("dictionary", tag), entry)


_LONGEST_ENTRY = 5
_TRANSLATIONS: tuple[Callable[[Import], None], ...] = (
    _simple, _times, _folders, _scripts, _encoding, _accepted_syntaxes, _aets, _arrivals, _store,
    _http, _users, _user_metadata, _user_content, _dictionary, callers, modalities, peers,
)  # fmt: skip


def translate(found: Import) -> None:
    """Carry over every key that means something to us, and note what becomes of the others."""
    for translation in _TRANSLATIONS:
        translation(found)
    found.tree["orthanc"] = found.source.content
    found.tell_of_the_rest()
