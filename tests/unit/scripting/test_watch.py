import threading

import pytest

from gateway.scripting.watch import GivenUp, Watch


@pytest.fixture
def watch():
    watch = Watch(grace_s=0.05)
    watch.start()
    yield watch
    watch.stop()


def test_a_call_that_comes_back_in_time_answers_and_raises_as_ever(watch):
    def fail():
        raise KeyError("x")

    assert watch.run(lambda: 7, limit_s=5, give_up=pytest.fail) == 7
    with pytest.raises(KeyError):
        watch.run(fail, limit_s=5, give_up=pytest.fail)


def test_a_call_that_does_not_come_back_is_given_up_once_and_its_result_thrown_away(watch):
    given_up = threading.Semaphore(0)

    with pytest.raises(GivenUp):
        watch.run(lambda: given_up.acquire(timeout=10), limit_s=0.05, give_up=given_up.release)

    assert not given_up.acquire(blocking=False)


def test_an_abandoned_call_is_thrown_away_without_a_word(watch):
    with pytest.raises(GivenUp):
        watch.run(lambda: watch.abandon(threading.current_thread()), limit_s=5, give_up=pytest.fail)
