"""Speaking HTTP to one peer, over a connection that is kept between requests."""

import os
import ssl
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

import httpx

from gateway.errors import PeerRefused, RemoteUnreachable
from gateway.store.peers import Peer
from gateway.trust import machine_trust

_USUAL_TIMEOUT_S = 60
_PIECE_BYTES = 1 << 18


class PeerClient:
    """`with PeerClient(peer) as client: client.get("system")`."""

    def __init__(self, peer: Peer) -> None:
        """Raises RemoteUnreachable when our certificate cannot be used."""
        self._client = httpx.Client(
            base_url=peer.url,
            auth=None if peer.username is None else (peer.username, peer.password),
            headers=dict(peer.headers),
            timeout=peer.timeout_s or _USUAL_TIMEOUT_S,
            verify=_identity(peer),
            trust_env=False,  # what was put is all there is to know of a peer
        )

    def __enter__(self) -> "PeerClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def get(self, path: str) -> bytes:
        """What is there. Raises RemoteError."""
        return self._ask(self._client.build_request("GET", path))

    def post(self, path: str, file: BinaryIO, *, encoding: str = "") -> bytes:
        """Send a file, from where it stands to its end, without loading it; answer the answer.

        encoding: what was done to it, as Content-Encoding tells. Raises RemoteError.
        """
        left_bytes = os.fstat(file.fileno()).st_size - file.tell()
        headers = {"Content-Type": "application/dicom", "Content-Length": str(left_bytes)}
        if encoding:
            headers["Content-Encoding"] = encoding
        return self._ask(
            self._client.build_request("POST", path, content=_pieces(file), headers=headers)
        )

    def _ask(self, request: httpx.Request) -> bytes:
        try:
            response = self._client.send(request)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise RemoteUnreachable(f"the peer was not reached: {reason}") from error
        if not response.is_success:
            raise PeerRefused(response.status_code)
        return response.content


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_PIECE_BYTES):
        yield piece


def _identity(peer: Peer) -> ssl.SSLContext:
    """What proves who a peer is, and who we are."""
    if not peer.certificate:
        return machine_trust()
    context = ssl.create_default_context()
    try:
        context.load_cert_chain(
            peer.certificate, peer.certificate_key or None, peer.certificate_key_password
        )
    except OSError as error:  # ssl's own errors are of this type
        raise RemoteUnreachable(f"the certificate cannot be used: {error}") from error
    return context
