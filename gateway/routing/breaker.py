"""A destination in trouble is left alone for a while: its instances wait, none is to blame."""

import time
from collections.abc import Callable

from gateway.routing.retry import RetryPolicy


class Breaker:
    """Closed: go on. Open: wait. After the wait one attempt decides. Used by one thread."""

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def remaining_s(self) -> float:
        """How long to leave the destination alone; 0 when it may be tried."""
        return max(0.0, self._open_until - self._clock())

    def failed(self) -> float:
        """The destination did not answer; answers for how long it is left alone, in seconds."""
        self._failures += 1
        delay_s = self._policy.delay_s(self._failures)
        self._open_until = self._clock() + delay_s
        return delay_s

    def succeeded(self) -> bool:
        """The destination answered; answers whether it was in trouble before."""
        was_open = self._failures > 0
        self._failures = 0
        self._open_until = 0.0
        return was_open
