"""From the steps that a callback recorded to tasks: which version, and what has to be done first.

A step on a series, study or patient is one task for each instance in it. A step that works on the
result of another needs it. A deletion, or a command, needs every earlier step that works on the
same instance, or on what is made of it. Nothing else waits: two destinations never wait for each
other.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.errors import NotFound, UnknownDestination
from gateway.model import Action, Event, NewTask, Step, Version

FindVersions = Callable[[str], Sequence[Version]]
# These wait for what was asked for before, as in Orthanc, which does one thing after the other.
_LAST = (Action.DELETE, Action.CALL)


def check_remotes(steps: Sequence[Step], known: Mapping[Action, Collection[str]]) -> None:
    """Raises UnknownDestination for a step that sends to nobody; it begins with the script line.

    known: the names of those that each action can send to.
    """
    for step in steps:
        if step.destination and step.destination not in known[step.action]:
            names = ", ".join(sorted(known[step.action])) or "none is configured"
            raise UnknownDestination(
                f"{step.line}: no destination is called {step.destination!r} (known: {names})"
            )


def plan_tasks(
    steps: Sequence[Step], event: Event | None, find_versions: FindVersions
) -> list[NewTask]:
    """The tasks of one callback. event: None for OnHeartBeat.

    find_versions: the current version of an instance, or of each instance of another resource.
    The event's own instance means the version that the event is about, whatever is current now.
    Raises NotFound (no such resource); the message begins with the script line.
    """
    planning = _Planning(event, find_versions)
    for step in steps:
        planning.add(step)
    return [piece.task for piece in planning.pieces]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A task, and what it works on.

    lineage: the id of the stored instance at the beginning, then the number of each modification
    that led from it to the instance that the task works on. version_id: of that, if it is there.
    """

    task: NewTask
    lineage: tuple[str | int, ...]
    version_id: int | None

    @property
    def result(self) -> tuple[str | int, ...]:
        """The lineage of what it makes: a modification makes an instance of its own."""
        if self.task.step.action is Action.MODIFY:
            return (*self.lineage, self.task.step.number)
        return self.lineage


class _Planning:
    """Tasks are numbered anew: a step may be several of them."""

    def __init__(self, event: Event | None, find_versions: FindVersions) -> None:
        self.pieces: list[_Piece] = []
        self._event = event
        self._find_versions = find_versions
        self._found: dict[str, Sequence[Version]] = {}
        self._of_step: dict[int, list[_Piece]] = {}
        self._of_instance: dict[str | int, list[_Piece]] = {}

    def add(self, step: Step) -> None:
        """Plan the next step. Raises NotFound."""
        if step.result_of is None:
            made = [self._on_stored(step, version) for version in self._versions(step)]
        else:
            made = [self._on_result(step, maker) for maker in self._of_step[step.result_of]]
        self._of_step[step.number] = made

    def _on_stored(self, step: Step, version: Version) -> _Piece:
        lineage = (version.instance_id,)
        needs = self._on_same(lineage) if step.action in _LAST else []
        numbered = replace(step, number=len(self.pieces) + 1, subject=version.instance_id)
        task = NewTask(numbered, version.instance_id, version.version_id, tuple(needs))
        return self._enter(_Piece(task, lineage, version.version_id))

    def _on_result(self, step: Step, maker: _Piece) -> _Piece:
        lineage, made_by = maker.result, maker.task.step.number
        version_id = maker.version_id if lineage == maker.lineage else None
        if step.action is Action.DELETE and len(lineage) > 1:
            # Deleting a result means deleting the instance that it is, with all made from it: what
            # is stored, see _on_stored(), or what a modification has made.
            made_by = int(lineage[-1])
        needs = {made_by, *(self._on_same(lineage) if step.action in _LAST else ())}
        numbered = replace(step, number=len(self.pieces) + 1, result_of=made_by)
        known = version_id if step.action is Action.DELETE else None
        task = NewTask(numbered, maker.task.instance_id, known, tuple(sorted(needs)))
        return self._enter(_Piece(task, lineage, version_id))

    def _enter(self, piece: _Piece) -> _Piece:
        self.pieces.append(piece)
        self._of_instance.setdefault(piece.lineage[0], []).append(piece)
        return piece

    def _on_same(self, lineage: tuple[str | int, ...]) -> list[int]:
        """The tasks so far that work on an instance, or on what is made of it."""
        related = self._of_instance.get(lineage[0], ())
        return [
            piece.task.step.number for piece in related if piece.lineage[: len(lineage)] == lineage
        ]

    def _versions(self, step: Step) -> Sequence[Version]:
        event = self._event
        if event and event.version and step.subject == event.subject:
            return (event.version,)
        if step.subject not in self._found:
            self._found[step.subject] = self._find_versions(step.subject)
        if not self._found[step.subject]:
            raise NotFound(f"{step.line}: nothing is stored under the id {step.subject!r}")
        return self._found[step.subject]
