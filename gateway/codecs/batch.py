"""Transcode many files: each result appears under its name when it is whole, or not at all.

Nothing is remembered between runs but the results themselves: a run that was killed goes on where
it was when it is started again.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Event, Lock
from uuid import uuid4

from gateway.errors import FolderInUse, TranscodeError
from gateway.model import TranscodeOptions, TranscodeReport
from gateway.ports import Codecs

_PREAMBLE_BYTES = 128
# An unfinished result, and what codec processes have put beside it.
_PART_NAME = re.compile(r"\.transcoding-[0-9a-f]{32}\.part")
_NOT_DICOM = "not-dicom"
_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Item:
    """A file and what it shall become. is_named: not found in a folder, but asked for by name."""

    source: Path
    target: Path
    is_named: bool


class Ending(StrEnum):
    """What became of an item."""

    MADE = "made"
    UNCHANGED = "unchanged"  # it needs no transcoding, and was copied byte for byte
    KEPT = "kept"  # it could not be transcoded, and was copied byte for byte
    THERE = "there"  # the target exists already
    NOT_DICOM = "not-dicom"  # and was found in a folder
    FAILED = "failed"  # there is nothing new at the target


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file. report: of MADE and UNCHANGED. The error: of KEPT and FAILED.

    target is None for a folder that could not be read.
    """

    source: Path
    target: Path | None
    ending: Ending
    report: TranscodeReport | None = None
    error_kind: str = ""
    error: str = ""


class Batch:
    """Makes what `items` say, in several threads.

    ladder: transfer syntax UIDs, best first. overwrite: make targets again that exist. keep: where
    transcoding fails, copy. told: is called with each outcome by the threads, one at a time.
    """

    def __init__(
        self,
        codecs: Codecs,
        ladder: Sequence[str],
        options: TranscodeOptions,
        told: Callable[[Outcome], None],
        *,
        overwrite: bool = False,
        keep: bool = False,
    ) -> None:
        self._codecs = codecs
        self._ladder = ladder
        self._options = options
        self._told = told
        self._overwrite = overwrite
        self._keep = keep
        self._stopping = Event()
        self._telling = Lock()

    def run(self, items: Iterable[Item], executor: ThreadPoolExecutor, at_once: int) -> None:
        """Return when all is done. No more than `at_once` items are taken before one is done.

        items: one target folder after the other. Raises what `items` and `told` raise, and
        KeyboardInterrupt; what the threads are at is not done then, and nobody is told of it.
        """
        running: set[Future[None]] = set()
        try:
            for item in _without_leftovers(items):
                running.add(executor.submit(self._carry_out, item))
                if len(running) == at_once:
                    running = _some_done(running)
            while running:
                running = _some_done(running)
        except BaseException:
            self._stopping.set()
            raise

    def _carry_out(self, item: Item) -> None:
        if self._stopping.is_set():
            return
        try:
            outcome = self._make(item)
        except (TranscodeError, OSError) as error:
            if self._stopping.is_set():  # its codec process was ended with us: no fault of the file
                return
            outcome = failure(item.source, item.target, error)
        self.tell(outcome)

    def tell(self, outcome: Outcome) -> None:
        """Tell of something beside the items. Thread-safe."""
        with self._telling:
            self._told(outcome)

    def _make(self, item: Item) -> Outcome:
        """Raises TranscodeError, OSError."""
        if item.target.is_file() and not self._overwrite:
            return Outcome(item.source, item.target, Ending.THERE)
        if not _is_dicom(item.source):
            ending = Ending.FAILED if item.is_named else Ending.NOT_DICOM
            return Outcome(item.source, item.target, ending, None, _NOT_DICOM, "not a DICOM file")
        item.target.parent.mkdir(parents=True, exist_ok=True)
        part = item.target.with_name(f".transcoding-{uuid4().hex}.part")
        try:
            outcome = self._fill(part, item)
            part.replace(item.target)
        finally:
            part.unlink(missing_ok=True)
        return outcome

    def _fill(self, part: Path, item: Item) -> Outcome:
        """Write the whole result to `part`, synced. Raises TranscodeError, OSError."""
        try:
            report = self._codecs.transcode(item.source, part, self._ladder, self._options)
        except TranscodeError as error:
            if not self._keep or self._stopping.is_set():
                raise
            _copy(item.source, part)
            return Outcome(item.source, item.target, Ending.KEPT, None, error.kind, str(error))
        ending = Ending.MADE if report.changed else Ending.UNCHANGED
        return Outcome(item.source, item.target, ending, report)


def failure(source: Path, target: Path | None, error: TranscodeError | OSError) -> Outcome:
    """The outcome of what an error ended."""
    if isinstance(error, TranscodeError):
        return Outcome(source, target, Ending.FAILED, None, error.kind, str(error))
    reason = error.strerror or type(error).__name__
    if error.filename not in (None, str(source)):
        reason = f"{error.filename}: {reason}"
    return Outcome(source, target, Ending.FAILED, None, _SYSTEM, reason)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be the only one to write into a folder, which is made if it is not there.

    Another run would take our unfinished files for leftovers. Raises FolderInUse, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUse(f"another gateway transcode writes to {folder}") from None
    except OSError:
        pass  # some network file systems cannot lock folders: then it is left to the administrator
    try:
        yield
    finally:
        os.close(descriptor)


def _some_done(running: set[Future[None]]) -> set[Future[None]]:
    """Wait until one is done; answer which are not. Raises what no outcome tells."""
    done, still_running = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return still_running


def _without_leftovers(items: Iterable[Item]) -> Iterator[Item]:
    """The items; before the first of each target folder, what a killed run left there is removed.

    An item's folder comes once, so nothing of this run can be in it yet.
    """
    folder: Path | None = None
    for item in items:
        if item.target.parent != folder:
            folder = item.target.parent
            _remove_leftovers(folder)
        yield item


def _remove_leftovers(folder: Path) -> None:
    # What is wrong with a folder, the first file for it will tell.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not _PART_NAME.match(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry)
            else:
                Path(entry).unlink(missing_ok=True)


def _is_dicom(path: Path) -> bool:
    """Whether it is a Part 10 file (PS3.10 7.1). Raises OSError."""
    # Without O_NONBLOCK, opening a named pipe would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, 4, _PREAMBLE_BYTES) == b"DICM"
    finally:
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as copy:
        os.fsync(copy.fileno())
