"""When to try again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.models import Retry
from gateway.errors import NoAcceptableSyntax, RemoteRefused
from gateway.routing.retry import RetryPolicy

POLICY = RetryPolicy(attempts=4, first_delay_s=5, factor=3, maximum_delay_s=60, jitter=0.2)


def no_jitter() -> float:
    return 0.0


def test_delays_grow_up_to_the_maximum():
    delays = [POLICY.delay_s(failures, no_jitter) for failures in range(1, 7)]
    assert delays == [5, 15, 45, 60, 60, 60]


def test_jitter_lengthens_a_delay_by_its_share():
    assert POLICY.delay_s(1, lambda: 1.0) == pytest.approx(6)


def test_a_destination_that_is_down_for_weeks_is_still_tried():
    steep = RetryPolicy(8, 3600, 100, 3600, 0)
    assert steep.delay_s(1_000_000) == 3600


def test_the_last_attempt_parks():
    error = RemoteRefused("PACS", 0xA700)
    retried = [POLICY.next_delay_s(error, before) is not None for before in range(5)]
    assert retried == [True, True, True, False, False]


def test_what_cannot_help_is_not_tried_again():
    assert POLICY.next_delay_s(NoAcceptableSyntax("no"), 0) is None


def test_one_attempt_means_none_after_the_first():
    once = RetryPolicy(1, 5, 3, 60, 0)
    assert once.next_delay_s(RemoteRefused("PACS", 0xA700), 0) is None


def test_the_policy_is_that_of_the_configuration():
    settings = Retry(attempts=2, first_delay_s=1, factor=2, maximum_delay_s=3, jitter=0.5)
    assert RetryPolicy.of(settings) == RetryPolicy(2, 1, 2, 3, 0.5)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_delay_is_never_shorter_than_the_first_nor_longer_than_allowed(failures, chance):
    assert 5 <= POLICY.delay_s(failures, lambda: chance) <= 60 * 1.2
