"""Which tasks and parked events a command of `gateway queue` means. Nothing here changes any."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import typer

from gateway.cli.output import counted
from gateway.errors import NotFound
from gateway.model import ParkedEvent, TaskRow, TaskState

EventId = tuple[str, int]  # script and number


@dataclass(frozen=True, slots=True)
class Filters:
    """What to let through; empty means everything."""

    states: frozenset[TaskState] = frozenset()
    destination: str | None = None
    script: str | None = None

    def __bool__(self) -> bool:
        return self != Filters()

    def tasks(self, rows: Collection[TaskRow]) -> list[TaskRow]:
        """Those of the tasks that are meant."""
        return [
            row
            for row in rows
            if (not self.states or row.state in self.states)
            and self.destination in (None, row.destination)
            and self.script in (None, row.lane)
        ]

    def events(self, parked: Collection[ParkedEvent]) -> list[ParkedEvent]:
        """Those of the events that are meant: they are parked, and have no destination yet."""
        if self.destination is not None or (self.states and TaskState.PARKED not in self.states):
            return []
        return [event for event in parked if self.script in (None, event.lane)]


@dataclass(frozen=True, slots=True)
class Selection:
    """Tasks and parked events that a command is about to change."""

    tasks: Sequence[TaskRow]
    events: Sequence[ParkedEvent]

    def __len__(self) -> int:
        return len(self.tasks) + len(self.events)

    @property
    def task_ids(self) -> list[int]:
        """The numbers of the tasks."""
        return [task.task_id for task in self.tasks]

    @property
    def event_ids(self) -> list[EventId]:
        """Script and number of the events."""
        return [event_id(event) for event in self.events]

    def losses(self) -> Iterator[str]:
        """What will not happen when all of it is given up, a line for each kind."""
        for (action, destination), count in Counter(
            (task.action, task.destination) for task in self.tasks
        ).items():
            target = f" to {destination}" if destination else ""
            yield f"{counted(count, 'task')}: {action}{target}"
        for lane, count in Counter(event.lane for event in self.events).items():
            yield f"{counted(count, 'event')} that {lane} has not handled"


def event_id(event: ParkedEvent) -> EventId:
    """How `queue` names an event: the number alone is the same in every script."""
    return event.lane, event.event_id


def select(everything: Selection, ids: Sequence[str], *, all_: bool, filters: Filters) -> Selection:
    """What of `everything` is meant: these ids, or all that the filters let through.

    Without a state among the filters, all means all that is parked. Raises BadParameter when
    neither or both are said, NotFound for an id that is not there.
    """
    if ids and (all_ or filters):
        raise typer.BadParameter("say ids, or --all with filters, not both")
    if ids:
        return _by_ids(everything, ids)
    if not all_:
        raise typer.BadParameter("say which: ids, or --all, with filters if you like")
    wanted = filters if filters.states else replace(filters, states=frozenset({TaskState.PARKED}))
    return Selection(wanted.tasks(everything.tasks), wanted.events(everything.events))


def _by_ids(everything: Selection, ids: Sequence[str]) -> Selection:
    parsed = {text: _parse_id(text) for text in ids}
    tasks = {task.task_id: task for task in everything.tasks}
    events = {event_id(event): event for event in everything.events}
    if missing := [text for text, key in parsed.items() if key not in tasks and key not in events]:
        raise NotFound(f"not in the queue: {', '.join(missing)}; nothing was changed")
    wanted = set(parsed.values())
    return Selection(
        [task for key, task in tasks.items() if key in wanted],
        [event for key, event in events.items() if key in wanted],
    )


def _parse_id(text: str) -> int | EventId:
    script, _, number = text.rpartition(":")
    if not number.isdecimal():
        raise typer.BadParameter(f"{text!r} is neither a task's number nor SCRIPT:NUMBER")
    return (script, int(number)) if script else int(number)
