"""The codec processes that have nothing to do, and who gets them: whoever waits goes first."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from gateway.codecs.process import CodecProcess


class IdleProcesses:
    """Last in, first out: caches are warm, and processes that are not needed sleep."""

    def __init__(self, processes: list[CodecProcess]) -> None:
        self._idle = list(processes)
        self._waiting = 0
        self._changed = Condition()

    @contextmanager
    def borrowed(self) -> Iterator[CodecProcess]:
        """Wait for a process, and hand it back at the end."""
        process = self.take()
        try:
            yield process
        finally:
            self.hand_back(process)

    def take(self) -> CodecProcess:
        """Wait for a process."""
        with self._changed:
            self._waiting += 1
            self._changed.wait_for(lambda: self._idle)
            self._waiting -= 1
            return self._idle.pop()

    def take_spare(self) -> CodecProcess | None:
        """A process that nobody waits for, if there is one now."""
        with self._changed:
            return self._idle.pop() if len(self._idle) > self._waiting else None

    def hand_back(self, process: CodecProcess) -> None:
        """It has nothing to do any more."""
        with self._changed:
            self._idle.append(process)
            self._changed.notify()
