"""From the steps that a callback recorded to tasks: which version, and what has to be done first.

A step that works on the result of another needs it. A deletion needs every earlier step that works
on the same instance. Nothing else waits: two destinations never wait for each other.
"""

from collections.abc import Callable, Collection, Sequence

from gateway.errors import NotFound, UnknownDestination
from gateway.model import Action, Event, NewTask, Step, Version

FindCurrent = Callable[[str], Version | None]


def plan_tasks(
    steps: Sequence[Step],
    event: Event | None,
    find_current: FindCurrent,
    destinations: Collection[str],
) -> list[NewTask]:
    """The tasks of one callback. event: None for OnHeartBeat.

    The event's own instance means the version that the event is about, whatever is current now.
    Raises NotFound (no such instance), UnknownDestination; the messages begin with the script line.
    """
    _check_destinations(steps, destinations)
    by_number = {step.number: step for step in steps}
    roots = {step.number: _root(step, by_number) for step in steps}
    versions = {
        subject: _find(subject, event, find_current, step)
        for step in steps
        if (subject := roots[step.number].subject)
    }
    return [
        NewTask(
            step=step,
            instance_id=versions[roots[step.number].subject].instance_id,
            version_id=_version_id(step, versions[roots[step.number].subject]),
            needs=_needs(step, steps, roots),
        )
        for step in steps
    ]


def _check_destinations(steps: Sequence[Step], destinations: Collection[str]) -> None:
    for step in steps:
        if step.action is Action.FORWARD and step.destination not in destinations:
            known = ", ".join(sorted(destinations)) or "none is configured"
            raise UnknownDestination(
                f"{step.line}: no destination is called {step.destination!r} (known: {known})"
            )


def _root(step: Step, by_number: dict[int, Step]) -> Step:
    """The step whose subject is an instance id, and from which this step's subject was made."""
    while step.result_of is not None:
        step = by_number[step.result_of]
    return step


def _find(subject: str, event: Event | None, find_current: FindCurrent, step: Step) -> Version:
    if event and event.version and subject == event.subject:
        return event.version
    found = find_current(subject)
    if found is None:
        raise NotFound(f"{step.line}: there is no instance {subject!r}")
    return found


def _version_id(step: Step, root: Version) -> int | None:
    # Deleting a result means deleting the instance: its root, and with it all made from it.
    if step.result_of is None or step.action is Action.DELETE:
        return root.version_id
    return None


def _needs(step: Step, steps: Sequence[Step], roots: dict[int, Step]) -> tuple[int, ...]:
    if step.action is not Action.DELETE:
        return () if step.result_of is None else (step.result_of,)
    subject = roots[step.number].subject
    return tuple(
        other.number
        for other in steps
        if other.number < step.number and roots[other.number].subject == subject
    )
