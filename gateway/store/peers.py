"""Peers: other Orthancs and gateways that instances are sent to over HTTP.

Where the configuration and a client have given the same name, what the client put counts until it
is deleted: then the configuration's shows again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType

from sqlalchemy import Engine

from gateway.config.models import Peer as PeerSettings
from gateway.store.committer import Committer
from gateway.store.remotes import RemoteKind, Remotes


@dataclass(frozen=True, slots=True)
class Peer:
    """Another Orthanc, or another gateway.

    url: ends with a slash. username: None when it asks for none. timeout_s: 0 for the usual.
    certificate, certificate_key: files with which we prove who we are, "" without. properties: what
    else a client has noted of it.
    """

    url: str
    username: str | None = None
    password: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int = 0
    certificate: str = ""
    certificate_key: str = ""
    certificate_key_password: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def configured_peers(settings: Mapping[str, PeerSettings]) -> dict[str, Peer]:
    """The peers that the configuration names."""
    return {name: _configured(each) for name, each in settings.items()}


def _configured(settings: PeerSettings) -> Peer:
    return Peer(
        settings.url,
        settings.username,
        settings.password.get_secret_value(),
        {name: value.get_secret_value() for name, value in settings.headers.items()},
        int(settings.timeout_s),
        str(settings.certificate or ""),
        str(settings.private_key or ""),
        settings.private_key_password.get_secret_value(),
        settings.properties,
    )


class Peers(Mapping[str, Peer]):
    """All peers by name, in the order of the names, as they are at this moment. Thread-safe."""

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        configured: Mapping[str, Peer] = MappingProxyType({}),
    ) -> None:
        self._configured = configured
        self._put = Remotes(RemoteKind.PEER, engine, committer)

    def __getitem__(self, name: str) -> Peer:
        settings = self._put.get(name)
        return self._configured[name] if settings is None else Peer(**settings)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._configured.keys() | self._put.all().keys()))

    def __len__(self) -> int:
        return len(self._configured.keys() | self._put.all().keys())

    def all(self) -> dict[str, Peer]:
        """Every peer, at one moment."""
        put = {name: Peer(**settings) for name, settings in self._put.all().items()}
        return dict(sorted({**self._configured, **put}.items()))

    def put(self, name: str, peer: Peer) -> None:
        """Add or replace it, for good. Raises StorageFull, StoreError."""
        self._put.put(name, asdict(peer))

    def remove(self, name: str) -> bool:
        """Forget what was put under this name; False when that is nothing.

        Raises StorageFull, StoreError.
        """
        return self._put.remove(name)
