"""Loops that begin when something first waits for a remote."""

import threading
from collections.abc import Callable, Iterator

import pytest
from waiting import wait_until

from gateway.metrics import Metrics
from gateway.model import Action
from gateway.routing.senders import Remote, Senders, Sending
from gateway.routing.signal import WorkSignals


class FakeWork:
    def __init__(self, settings: object, log: list[str]) -> None:
        self.settings = settings
        self.log = log
        self.worked = threading.Event()

    def work(self, stopping: Callable[[], bool]) -> bool:
        self.worked.set()
        return False

    def close(self) -> None:
        self.log.append(f"closed {self.settings}")


class Remotes:
    """Known remotes, and what was made to send to them."""

    def __init__(self, **known: str) -> None:
        self.known = known
        self.made: list[FakeWork] = []
        self.log: list[str] = []

    def sending(self, side_by_side: int = 1) -> Sending:
        return Sending(self.known.get, self._make, lambda settings: side_by_side)

    def _make(self, name: str, settings: str) -> FakeWork:
        self.made.append(FakeWork(settings, self.log))
        return self.made[-1]


@pytest.fixture
def remotes() -> Remotes:
    return Remotes(pacs="here")


@pytest.fixture
def signals() -> WorkSignals:
    return WorkSignals()


@pytest.fixture
def senders(remotes: Remotes, signals: WorkSignals) -> Iterator[Senders]:
    running = Senders({Action.FORWARD: remotes.sending()}, signals, Metrics())
    yield running
    for loop in running.stop():
        loop.stop()
        assert loop.join(10)


def never() -> bool:
    return False


def test_what_waits_at_the_start_is_sent(senders, remotes):
    senders.start({(Action.FORWARD, "pacs")})
    assert wait_until(lambda: remotes.made)[0].worked.wait(10)


def test_a_remote_that_came_later_is_sent_to_when_something_waits_for_it(senders, remotes, signals):
    senders.start(())
    remotes.known["late"] = "there"
    signals.notify(Action.FORWARD, "late")
    signals.notify(Action.FORWARD, "late")
    assert wait_until(lambda: remotes.made)[0].worked.wait(10)
    assert len(senders.stop()) == 1


def test_other_work_has_no_loops_here(senders, signals):
    senders.start(())
    signals.notify(Action.TRANSCODE, "")
    assert senders.stop() == []


def test_none_begins_once_they_stop(senders, signals):
    senders.start(())
    senders.stop()
    signals.notify(Action.FORWARD, "pacs")
    assert senders.stop() == []


def test_there_are_as_many_side_by_side_as_its_settings_say(remotes, signals):
    senders = Senders({Action.FORWARD: remotes.sending(3)}, signals, Metrics())
    senders.start({(Action.FORWARD, "pacs")})
    loops = senders.stop()
    for loop in loops:
        loop.stop()
    assert all(loop.join(10) for loop in loops)
    assert len(loops) == 3


def test_new_settings_begin_anew(remotes):
    remote = Remote("pacs", remotes.sending())
    remote.work(never)
    remote.work(never)
    remotes.known["pacs"] = "moved"
    remote.work(never)
    assert [work.settings for work in remotes.made] == ["here", "moved"]
    assert remotes.log == ["closed here"]


def test_what_waits_for_a_remote_that_is_gone_waits_until_it_is_back(remotes):
    remote = Remote("pacs", remotes.sending())
    remote.work(never)
    del remotes.known["pacs"]
    assert not remote.work(never)
    remotes.known["pacs"] = "here"
    remote.work(never)
    assert len(remotes.made) == 2
    remote.close()
    assert remotes.log == ["closed here", "closed here"]
