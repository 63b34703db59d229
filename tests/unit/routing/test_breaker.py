"""A destination in trouble is left alone for a while."""

from gateway.routing.breaker import Breaker
from gateway.routing.retry import RetryPolicy

POLICY = RetryPolicy(attempts=8, first_delay_s=5, factor=3, maximum_delay_s=60, jitter=0)


class Time:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_destination_may_be_tried_at_first():
    assert Breaker(POLICY, Time()).remaining_s() == 0


def test_after_a_failure_it_is_left_alone_and_then_tried_again():
    time = Time()
    breaker = Breaker(POLICY, time)
    assert breaker.failed() == 5
    assert breaker.remaining_s() == 5
    time.now_s += 4
    assert breaker.remaining_s() == 1
    time.now_s += 1
    assert breaker.remaining_s() == 0


def test_each_failure_in_a_row_leaves_it_alone_for_longer():
    breaker = Breaker(POLICY, Time())
    assert [breaker.failed() for _ in range(5)] == [5, 15, 45, 60, 60]


def test_an_answer_closes_it_and_says_whether_there_was_trouble():
    breaker = Breaker(POLICY, Time())
    assert not breaker.succeeded()
    breaker.failed()
    assert breaker.succeeded()
    assert breaker.remaining_s() == 0
    assert breaker.failed() == 5
