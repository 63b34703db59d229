"""What one worker has in hand: no task may stay claimed by somebody who forgot it."""

from collections.abc import Sequence

from gateway.model import Action, Task
from gateway.store.tasks import Tasks


class Claims:
    """The claimed tasks of one worker, in one thread.

    A worker that fails half-way (the index has no room, a fault of ours) leaves tasks that it gave
    no answer for. They are given back before it takes more.
    """

    def __init__(self, tasks: Tasks, action: Action, destination: str = "") -> None:
        self._tasks = tasks
        self._action = action
        self._destination = destination
        self._in_hand: Sequence[Task] = ()

    def take(self, limit: int) -> Sequence[Task]:
        """Claim up to `limit` due tasks. Without answered(), the next call gives them back."""
        if self._in_hand:
            self._tasks.give_back(self._in_hand).result()
        self._in_hand = ()
        self._in_hand = self._tasks.claim(self._action, limit, self._destination)
        return self._in_hand

    def answered(self) -> None:
        """Each of them is done, postponed, parked or given back."""
        self._in_hand = ()
