"""How long whoever asks is ready to wait for a job: for ever over HTTP, but not in a script.

What waits is far below what was asked, and most of what is between has nothing to do with waiting:
so it is kept beside the call, for the thread that carries it out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

_seconds_left: ContextVar[Callable[[], float]] = ContextVar("patience", default=lambda: inf)


@contextmanager
def patience_of(seconds_left: Callable[[], float]) -> Iterator[None]:
    """While this lasts, requests of this thread wait no longer than it answers."""
    before = _seconds_left.set(seconds_left)
    try:
        yield
    finally:
        _seconds_left.reset(before)


def seconds_left() -> float:
    """How much longer this thread may wait; infinite for clients over HTTP."""
    return _seconds_left.get()()
