"""Watching the drop folder: events of the file system wake a rescan, which compares contents."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from gateway.logs import logger
from gateway.scripting.sources import Snapshot, take_snapshot

log = logger("scripting")
# An editor saves in several steps; one that takes longer than this is not waited for.
DEBOUNCE_S, LONGEST_DEBOUNCE_S = 0.25, 0.6
# Also without an event: links, network shares and dead watches send none.
RESCAN_S = 5.0
_RESCAN_WHILE_MISSING_S = 0.5
_POLLING_S = 0.4
# Our own reading of the folder.
_READING = ("opened", "closed_no_write")


class FolderWatch:
    """Calls `look` with a snapshot soon after each change, and every RESCAN_S."""

    def __init__(self, folder: Path, look: Callable[[Snapshot], None], *, polling: bool) -> None:
        self._folder = folder
        self._look = look
        self._polling = polling
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None  # device and inode that the observer watches
        self._is_missing = False
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="script-folder", daemon=True)

    def start(self) -> None:
        """Look once, in the caller's thread, then go on in another."""
        self._scan()
        self._thread.start()

    def stop(self) -> None:
        """End; no call of `look` is running or comes after."""
        self._stopping.set()
        self._woken.set()
        self._thread.join()
        self._unwatch()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait(_RESCAN_WHILE_MISSING_S if self._is_missing else RESCAN_S)
            self._settle()
            if not self._stopping.is_set():
                self._scan()

    def _settle(self) -> None:
        """Wait until no event has come for DEBOUNCE_S."""
        latest_s = time.monotonic() + LONGEST_DEBOUNCE_S
        while self._woken.is_set() and not self._stopping.is_set():
            self._woken.clear()
            remaining_s = latest_s - time.monotonic()
            if remaining_s <= 0:
                return
            self._woken.wait(min(DEBOUNCE_S, remaining_s))

    def _scan(self) -> None:
        try:
            # First the watch, then the look: what changes between them is seen by the watch.
            self._watch()
            snapshot = take_snapshot(self._folder)
        except OSError as exc:
            self._report_missing(exc)
            return
        if self._is_missing:
            self._is_missing = False
            log.info("script folder is back", folder=str(self._folder))
        try:
            self._look(snapshot)
        except Exception:  # a border: this thread must survive what a file makes us do
            log.exception("a change of the script folder could not be carried out")

    def _report_missing(self, error: OSError) -> None:
        if not self._is_missing:
            self._is_missing = True
            log.error(
                "script folder cannot be read, the scripts go on as they are",
                folder=str(self._folder),
                reason=error.strerror,
            )

    def _watch(self) -> None:
        """Have a living watch on the folder that is there now. Raises OSError.

        When a folder is deleted, its emitter dies and the observer does not tell; when a link to
        it is changed, the observer goes on to watch the old one.
        """
        status = self._folder.stat()
        here = (status.st_dev, status.st_ino)
        if here == self._watched and self._is_watching():
            return
        self._unwatch()
        observer = PollingObserver(timeout=_POLLING_S) if self._polling else Observer()
        observer.schedule(_Waker(self._woken), str(self._folder.resolve()), recursive=True)
        observer.start()
        self._observer, self._watched = observer, here

    def _is_watching(self) -> bool:
        return self._observer is not None and all(
            emitter.is_alive() for emitter in self._observer.emitters
        )

    def _unwatch(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None


class _Waker(FileSystemEventHandler):
    def __init__(self, woken: threading.Event) -> None:
        self._woken = woken

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _READING:
            self._woken.set()
