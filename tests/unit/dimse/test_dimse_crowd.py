"""Connections that wait to be admitted, and those that are."""

import threading

import pytest
from waiting import wait_until

from gateway.dimse import crowd
from gateway.dimse.policy import Accept, Reject

WELCOME = Accept(frozenset())
FULL = Reject(2, 3, 2, "full")


class Guest:
    """A member whose thread ends when it is cut."""

    def __init__(self, crowd_: crowd.Crowd) -> None:
        self._crowd = crowd_
        self.cut_because = ""
        self.is_finishing = False

    def finish(self) -> None:
        self.is_finishing = True

    def cut(self, reason: str) -> None:
        self.cut_because = reason

    def join(self, timeout: float | None = None) -> None:
        self._crowd.leave(self)


@pytest.fixture
def people() -> crowd.Crowd:
    return crowd.Crowd()


def entered(people: crowd.Crowd, count: int) -> list[Guest]:
    guests = [Guest(people) for _ in range(count)]
    for guest in guests:
        people.enter(guest)
    return guests


def test_who_is_admitted_counts_and_who_is_rejected_does_not(people):
    first, second, third = entered(people, 3)
    counts = []
    for guest, verdict in ((first, WELCOME), (second, FULL), (third, WELCOME)):
        people.admit(guest, lambda count, verdict=verdict: counts.append(count) or verdict)
    assert counts == [0, 1, 1]


def test_who_leaves_is_not_counted_any_more(people):
    first, second = entered(people, 2)
    people.admit(first, lambda count: WELCOME)
    people.leave(first)
    assert people.admit(second, lambda count: FULL if count else WELCOME) is WELCOME


def test_the_oldest_silent_one_makes_way(people, monkeypatch):
    monkeypatch.setattr(crowd, "MAXIMUM_WAITING", 3)
    monkeypatch.setattr(crowd, "COURTESY_S", 0.0)
    oldest, second, third = entered(people, 3)
    newcomer = Guest(people)
    thread = threading.Thread(target=people.enter, args=(newcomer,))
    thread.start()
    wait_until(lambda: oldest.cut_because)
    assert thread.is_alive()
    people.leave(oldest)
    thread.join(5)
    assert not thread.is_alive()
    assert not second.cut_because
    assert not third.cut_because


def test_a_newcomer_waits_for_one_that_is_being_judged(people, monkeypatch):
    monkeypatch.setattr(crowd, "MAXIMUM_WAITING", 1)
    (first,) = entered(people, 1)
    thread = threading.Thread(target=people.enter, args=(Guest(people),))
    thread.start()
    people.admit(first, lambda count: WELCOME)
    thread.join(5)
    assert not thread.is_alive()
    assert not first.cut_because


def test_in_the_end_the_waiting_are_cut_and_the_admitted_may_finish(people):
    waiting, working = entered(people, 2)
    people.admit(working, lambda count: WELCOME)
    people.dissolve(0.01)
    assert waiting.cut_because
    assert working.is_finishing
    assert working.cut_because
