"""Of which generation what a request stores would be, see Origin; 0 when no script asks.

A job is submitted far below the request, and has to tell scripts its generation when it has ended:
so it is kept beside the call, for the thread that carries it out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_generation: ContextVar[int] = ContextVar("generation", default=0)


@contextmanager
def asking_in(generation: int) -> Iterator[None]:
    """While this lasts, requests of this thread are of this generation."""
    before = _generation.set(generation)
    try:
        yield
    finally:
        _generation.reset(before)


def generation() -> int:
    """Of the request that this thread carries out."""
    return _generation.get()
