"""Waiting for what others do: for the event, never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], timeout_s: float = 60) -> Found:
    """Return what the condition answers as soon as that is true; fail after the time-out."""
    deadline = time.monotonic() + timeout_s
    while True:
        asked = time.monotonic()
        if found := condition():
            return found
        answered = time.monotonic()
        assert answered < deadline, f"it did not happen in time: still {found!r}"
        # Who is waited for needs the processor: a question that is long to answer is asked seldom.
        time.sleep(min(0.25, 0.005 + 4 * (answered - asked)))
