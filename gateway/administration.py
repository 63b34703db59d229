"""What administrators see and do: the queue and the scripts, with a gateway running or not."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from gateway.config.models import Configuration
from gateway.errors import NotFound
from gateway.model import LaneStatus, ParkedEvent, TaskRow, TaskState
from gateway.store.opened import INDEX_NAME, Store, open_store


class Administration:
    """One open index, as `gateway queue` and `gateway scripts` use it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tasks(self, states: Collection[TaskState] | None = None) -> list[TaskRow]:
        """Tasks in these states; None: all that have not come to their end."""
        return self._store.board.rows(states)

    def parked_events(self) -> list[ParkedEvent]:
        """Events whose callback failed."""
        return self._store.outbox.parked_events()

    def lanes(self) -> list[LaneStatus]:
        """Every script that runs, or ran."""
        return self._store.outbox.lanes()

    def retry_tasks(self, ids: Collection[int]) -> int:
        """Have tasks tried now; answers how many there were."""
        return self._store.board.retry(ids)

    def drop_tasks(self, ids: Collection[int]) -> int:
        """Give tasks up, and those that need them; answers how many. The instances stay."""
        return self._store.board.drop(ids)

    def retry_events(self, which: Collection[tuple[str, int]]) -> int:
        """Have parked events, (script, event id), handled again; answers how many there were."""
        return self._store.outbox.retry_events(which)

    def drop_events(self, which: Collection[tuple[str, int]]) -> int:
        """Forget parked events; answers how many there were. The instances stay."""
        return self._store.outbox.drop_events(which)


@contextmanager
def administration(configuration: Configuration) -> Iterator[Administration]:
    """Open the index of a gateway. Raises NotFound when there is none."""
    folder = configuration.store.folder
    if not (folder / INDEX_NAME).exists():
        raise NotFound(f"there is no gateway data in {folder}: has the gateway run here yet?")
    store = open_store(folder)
    try:
        yield Administration(store)
    finally:
        store.close()
