"""Housekeeping: deletions, files that nobody needs, what is stable, and history to be forgotten."""

import pytest

from gateway.routing.housekeeping import BATCH, Housekeeping


class FakeTasks:
    """forgotten: what each call of forget_ended() answers; 0 when there is no more."""

    def __init__(self, deletions: int = 0, forgotten: tuple[int, ...] = ()) -> None:
        self.deletions = deletions
        self.forgotten = list(forgotten)
        self.asked_to_forget = 0

    def run_deletions(self, limit: int) -> int:
        assert limit == BATCH
        return self.deletions

    def forget_ended(self, older_than_s: float) -> int:
        self.asked_to_forget += 1
        return self.forgotten.pop(0) if self.forgotten else 0


class FakeReclaimer:
    def __init__(self, files: int = 0, error: OSError | None = None) -> None:
        self.files = files
        self.error = error

    def reclaim(self, limit: int) -> int:
        if self.error:
            raise self.error
        return self.files


class FakeStability:
    def __init__(self, settled: int = 0) -> None:
        self.settled = settled

    def settle(self, limit: int) -> int:
        assert limit == BATCH
        return self.settled


class FakeOutbox:
    def forget_notices(self) -> int:
        return 0


class FakeCapacity:
    def keep_to_limits(self) -> int:
        return 0


def work(housekeeping: Housekeeping) -> bool:
    return housekeeping.work(lambda: False)


@pytest.mark.parametrize(
    ("deletions", "files", "settled", "found_work"),
    [(0, 0, 0, False), (1, 0, 0, True), (0, 1, 0, True), (0, 0, 1, True)],
)
def test_it_goes_on_while_there_was_something_to_do(deletions, files, settled, found_work):
    housekeeping = Housekeeping(
        FakeTasks(deletions),
        FakeOutbox(),
        FakeReclaimer(files),
        FakeStability(settled),
        FakeCapacity(),
    )
    assert work(housekeeping) is found_work


def test_history_is_looked_at_now_and_then_only():
    tasks = FakeTasks()
    housekeeping = Housekeeping(
        tasks, FakeOutbox(), FakeReclaimer(), FakeStability(), FakeCapacity()
    )
    for _ in range(5):
        work(housekeeping)
    assert tasks.asked_to_forget == 1


def test_all_that_is_old_enough_is_forgotten_however_much_it_is():
    """A busy site ends far more tasks in ten minutes than one call forgets."""
    tasks = FakeTasks(forgotten=(10_000, 10_000, 7))
    housekeeping = Housekeeping(
        tasks, FakeOutbox(), FakeReclaimer(), FakeStability(), FakeCapacity()
    )
    while work(housekeeping):
        pass
    assert tasks.forgotten == []
