"""When to try again: a pure decision."""

from collections.abc import Callable
from dataclasses import dataclass
from random import random

from gateway.config.models import Retry
from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """first_delay_s * factor^n, at most maximum_delay_s, lengthened by up to `jitter` of itself."""

    attempts: int
    first_delay_s: float
    factor: float
    maximum_delay_s: float
    jitter: float

    @classmethod
    def of(cls, settings: Retry) -> "RetryPolicy":
        """The policy of the configuration."""
        return cls(
            settings.attempts,
            settings.first_delay_s,
            settings.factor,
            settings.maximum_delay_s,
            settings.jitter,
        )

    def delay_s(self, failures: int, chance: Callable[[], float] = random) -> float:
        """The wait after so many failures in a row, at least one."""
        # The exponent is bounded so that a destination that is down for weeks cannot overflow it.
        exact = self.first_delay_s * self.factor ** min(failures - 1, 64)
        return min(exact, self.maximum_delay_s) * (1 + self.jitter * chance())

    def next_delay_s(self, error: GatewayError, attempts_before: int) -> float | None:
        """The wait before the next attempt; None when the task is to be parked."""
        if not error.retryable or attempts_before + 1 >= self.attempts:
            return None
        return self.delay_s(attempts_before + 1)
