"""Noticing calls into Lua that do not come back.

The limits of a runtime end a script between two of its instructions. Inside one long call of a C
function (a pathological string pattern, a FIFO that nobody writes to) there are none: such a thread
cannot be ended, only given up.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

_LOOK_EVERY_S = 0.25
T = TypeVar("T")


class GivenUp(Exception):
    """This thread came back after it had been given up: it must end without a trace."""


@dataclass(eq=False, slots=True)
class _Section:
    """One call that is being watched."""

    thread: threading.Thread
    overdue_s: float
    give_up: Callable[[], None]


class Watch:
    """One thread that looks after the calls of all lanes."""

    def __init__(self, grace_s: float) -> None:
        """grace_s: how long after its limit a call is still waited for."""
        self._grace_s = grace_s
        self._sections: set[_Section] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="script-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    def run(self, action: Callable[[], T], *, limit_s: float, give_up: Callable[[], None]) -> T:
        """Answer `action()`, or raise what it raises, when it comes back in time.

        When it does not, the watch's thread calls `give_up`, which must not wait for anything;
        should the action come back after all, GivenUp is raised whatever it did.
        """
        deadline_s = time.monotonic() + limit_s + self._grace_s
        section = _Section(threading.current_thread(), deadline_s, give_up)
        with self._lock:
            self._sections.add(section)
        try:
            return action()
        finally:
            if not self._take(section):
                raise GivenUp

    def abandon(self, thread: threading.Thread) -> None:
        """Throw away what the thread is doing, should it come back."""
        with self._lock:
            self._sections -= {section for section in self._sections if section.thread is thread}

    def _take(self, section: _Section) -> bool:
        with self._lock:
            in_time = section in self._sections
            self._sections.discard(section)
        return in_time

    def _look(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            now_s = time.monotonic()
            with self._lock:
                overdue = {section for section in self._sections if section.overdue_s <= now_s}
                self._sections -= overdue
            for section in overdue:
                section.give_up()
