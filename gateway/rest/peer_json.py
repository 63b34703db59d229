"""Peers as clients write and read them, and as they are kept. Nobody is shown a secret again."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.rest import fields
from gateway.rest.errors import ApiError, Fault
from gateway.store.peers import Peer

_KEYS = frozenset(
    (
        "Url", "URL", "Username", "Password", "HttpHeaders", "Timeout", "CertificateFile",
        "CertificateKeyFile", "CertificateKeyPassword", "Pkcs11",
    )
)  # fmt: skip
# A list is [url], or [url, username, password].
_LENGTHS = (1, 3)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 5.5


def peer_of(body: Any) -> Peer:
    """What a client wrote. Raises ApiError."""
    if isinstance(body, list):
        body = _as_object(body)
    if not isinstance(body, dict):
        raise ApiError(Fault.BAD_FILE_FORMAT, "a peer is a list or an object")
    if fields.boolean(body, "Pkcs11", False):
        raise ApiError(Fault.NOT_IMPLEMENTED, "certificates of PKCS #11 are not offered")
    return Peer(
        url=_url(fields.text(body, "URL", fields.text(body, "Url", ""))),
        username=fields.text(body, "Username") if "Username" in body else None,
        password=fields.text(body, "Password", ""),
        headers=_headers(body.get("HttpHeaders", {})),
        timeout_s=fields.unsigned(body, "Timeout", 0),
        certificate=_file(body, "CertificateFile"),
        certificate_key=_file(body, "CertificateKeyFile"),
        certificate_key_password=fields.text(body, "CertificateKeyPassword", ""),
        properties={name: _property(name, body[name]) for name in body if name not in _KEYS},
    )


def peer_json(peer: Peer) -> dict[str, Any]:
    """What clients are shown of it: that there are secrets, and of headers the names."""
    shown: dict[str, Any] = {
        **peer.properties,
        "HttpHeaders": sorted(peer.headers),
        "Pkcs11": False,
        "Timeout": peer.timeout_s,
        "Url": peer.url,
    }
    if peer.username is not None:
        shown |= {"Username": peer.username, "Password": None}
    if peer.certificate:
        shown |= {
            "CertificateFile": peer.certificate,
            "CertificateKeyFile": None,
            "CertificateKeyPassword": None,
        }
    return shown


def _as_object(body: list[Any]) -> dict[str, Any]:
    if len(body) not in _LENGTHS:
        raise ApiError(Fault.BAD_FILE_FORMAT, "a peer is [url] or [url, username, password]")
    return dict(zip(("Url", "Username", "Password"), body, strict=False))


def _url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", url):
        raise ApiError(Fault.BAD_FILE_FORMAT, "Url has to be http://... or https://...")
    return url if url.endswith("/") else f"{url}/"


def _headers(headers: Any) -> dict[str, str]:
    if not isinstance(headers, dict):
        raise ApiError(Fault.BAD_FILE_FORMAT, "HttpHeaders has to be an object")
    for name, value in headers.items():
        if not isinstance(value, str):
            raise ApiError(Fault.BAD_FILE_FORMAT, f"the header {name} has to be a string")
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ApiError(Fault.BAD_FILE_FORMAT, f"{name!r} cannot be a header with that value")
    return dict(headers)


def _file(body: Mapping[str, Any], name: str) -> str:
    path = fields.text(body, name, "")
    if path and not Path(path).is_file():
        raise ApiError(Fault.INEXISTENT_FILE, f"{name} names no file")
    return path


def _property(name: str, value: Any) -> str:
    """Text, as Orthanc makes it of numbers and truth values."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if not isinstance(value, str | int | float):
        raise ApiError(Fault.BAD_FILE_FORMAT, f"{name} has to be a string")
    return str(value)
