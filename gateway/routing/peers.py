"""Sending to a peer: files as they are stored, over one HTTP connection."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path

from gateway.dicom.rates import AS_STORED
from gateway.dimse.contexts import Need
from gateway.errors import InstanceUnreadable
from gateway.model import Task
from gateway.store.files import FileStorage
from gateway.store.peers import Peer
from gateway.work.peer_client import PeerClient

_INSTANCES = "instances"
_LINGER_S = 2.0


class PeerLink:
    """Implements Connection: opened for the instances at hand; kept for a while after the last."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._client: PeerClient | None = None
        self._used_at = 0.0

    def open(self, calling_aet: str, needs: Iterable[Need]) -> None:
        """See Connection. Whether the peer is there is known when something is sent."""
        if self._client is None:
            self._client = PeerClient(self._peer)
        self._used_at = time.monotonic()

    def accepted(self, sop_class_uid: str) -> frozenset[str]:
        """See Connection: nobody asks, as everything goes as stored."""
        return frozenset()

    def store(self, path: Path) -> None:
        """See Connection."""
        assert self._client is not None
        try:
            with path.open("rb") as file:
                self._client.post(_INSTANCES, file)
        except OSError as exc:
            raise InstanceUnreadable(f"the file cannot be read: {exc}") from exc
        self._used_at = time.monotonic()

    def close_if_idle(self) -> None:
        """See Connection."""
        if time.monotonic() - self._used_at >= _LINGER_S:
            self.close()

    def close(self) -> None:
        """See Connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


class StoredFiles:
    """Implements Files: everything goes as it is stored."""

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage

    def need(self, task: Task) -> Need:
        """See Files."""
        version = task.version
        return Need(version.sop_class_uid, version.transfer_syntax_uid, (AS_STORED,))

    def begin(
        self, tasks: Sequence[Task], accepted: Callable[[str], frozenset[str]]
    ) -> "list[Future[Path]]":
        """See Files."""
        return [self._ready(task) for task in tasks]

    def discard(self, prepared: "Iterable[Future[Path]]") -> None:
        """See Files: nothing was made."""

    def _ready(self, task: Task) -> "Future[Path]":
        ready: Future[Path] = Future()
        ready.set_result(self._storage.path(task.version.storage_key))
        return ready
