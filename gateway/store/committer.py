"""The one thread that commits: what waits together is published and committed together.

Several SQLite writers wait for each other in the busy handler and make the slowest ones very slow;
one writer that takes all that waits into one transaction is faster and even. A caller gets its
answer when its rows and its files survive a power cut.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from gateway.errors import StorageFull, StoreError
from gateway.logs import logger
from gateway.store.database import writer
from gateway.store.files import FileStorage, StagedFile

T = TypeVar("T")
log = logger("store")


class _Write(Generic[T]):
    """One caller's part of a transaction."""

    def __init__(self, apply: Callable[[Connection], T], files: Sequence[StagedFile]) -> None:
        self.apply = apply
        self.files = files
        self.future: Future[T] = Future()


class Committer:
    """Group commit: `commit()` returns when the transaction that holds the caller's part is synced.

    An `apply` may run twice (when another part of its transaction failed, everyone is tried again
    alone), so it must only use the connection it is given.
    """

    MAXIMUM_BATCH = 256

    def __init__(self, engine: Engine, storage: FileStorage) -> None:
        self._writer = writer(engine)
        self._storage = storage
        self._queue: queue.SimpleQueue[_Write[Any] | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # nothing may be queued behind the end
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def submit(
        self, apply: Callable[[Connection], T], files: Sequence[StagedFile] = ()
    ) -> Future[T]:
        """Commit in the background; the future has apply's result, or its exception."""
        write = _Write(apply, files)
        with self._gate:
            if not self._closed:
                self._queue.put(write)
                return write.future
        self._fail(write, StoreError("the store is closed"))
        return write.future

    def commit(self, apply: Callable[[Connection], T], files: Sequence[StagedFile] = ()) -> T:
        """Publish `files` and commit what `apply` does, both or neither. Raises what apply raises.

        When it raises, the files are gone. Raises StorageFull or StoreError for the device.
        """
        return self.submit(apply, files).result()

    def check(self) -> None:
        """Commit nothing, to see that we can. Raises StorageFull, StoreError."""
        self.commit(lambda connection: None)

    def close(self) -> None:
        """Commit what waits, then end. What is submitted later fails."""
        with self._gate:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            taken, closing = self._take()
            batch = [write for write in taken if self._is_wanted(write)]
            if batch:
                self._commit_together(batch)
            if closing:
                return

    def _take(self) -> tuple[list[_Write[Any]], bool]:
        batch: list[_Write[Any]] = []
        write = self._queue.get()
        while write is not None:
            batch.append(write)
            if len(batch) == self.MAXIMUM_BATCH:
                return batch, False
            try:
                write = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _is_wanted(self, write: _Write[Any]) -> bool:
        if write.future.set_running_or_notify_cancel():
            return True
        self._forget_files(write)
        return False

    def _commit_together(self, batch: list[_Write[Any]]) -> None:
        try:
            self._storage.publish(file for write in batch for file in write.files)
            results = self._transaction(batch)
        except Exception as exc:  # noqa: BLE001 - a border: every caller gets its own answer
            if len(batch) == 1:
                self._fail(batch[0], exc)
                return
            for write in batch:
                self._commit_alone(write)
            return
        for write, result in zip(batch, results, strict=True):
            write.future.set_result(result)

    def _commit_alone(self, write: _Write[Any]) -> None:
        try:
            self._storage.publish(write.files)
            (result,) = self._transaction([write])
        except Exception as exc:  # noqa: BLE001 - as above
            self._fail(write, exc)
            return
        write.future.set_result(result)

    def _transaction(self, batch: list[_Write[Any]]) -> list[Any]:
        with self._writer.begin() as connection:
            return [write.apply(connection) for write in batch]

    def _fail(self, write: _Write[Any], exc: Exception) -> None:
        self._forget_files(write)
        write.future.set_exception(_as_store_error(exc))

    def _forget_files(self, write: _Write[Any]) -> None:
        for file in write.files:
            # A device in trouble must not end this thread: recovery finds what stays.
            with suppress(OSError):
                file.discard()
                self._storage.remove(file.key)


def _as_store_error(exc: Exception) -> Exception:
    if isinstance(exc, DBAPIError):
        if "full" in str(exc.orig):
            return StorageFull(f"no room for the index: {exc.orig}")
        return StoreError(f"the index failed: {exc.orig}")
    return exc
