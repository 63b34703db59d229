"""What is to be said of legacy scripts, and what they are looked at with."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gateway.scripting.legacy.reading import Call, Definition, Place, Reading


class Severity(StrEnum):
    """How bad it is."""

    BREAKS = "breaks"  # what the script is for would not be done
    DIFFERS = "differs"  # it goes on, but not quite as it did in Orthanc, or not as it was meant
    HINT = "hint"  # it works, and could work better


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one line. where: `file:line`."""

    severity: Severity
    where: str
    problem: str
    remedy: str = ""


def breaks(place: Place | str, problem: str, remedy: str = "") -> Finding:
    """What would not work."""
    return Finding(Severity.BREAKS, str(place), problem, remedy)


def differs(place: Place | str, problem: str, remedy: str = "") -> Finding:
    """What would be otherwise."""
    return Finding(Severity.DIFFERS, str(place), problem, remedy)


def hint(place: Place | str, problem: str, remedy: str = "") -> Finding:
    """What could be better."""
    return Finding(Severity.HINT, str(place), problem, remedy)


@dataclass(frozen=True, slots=True)
class Here:
    """The gateway as scripts would find it.

    names: of all globals, and of what is in those that are tables: `os.execute`.
    missing: of a method and a path, what the gateway does not offer yet, "" when it is served, None
    when there is no such route. modalities, peers: those that are configured; None: not known.
    """

    names: Collection[str]
    missing: Callable[[str, str], str | None]
    modalities: Collection[str] | None = None
    peers: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class LegacySet:
    """The files of one Lua state, in the order in which they run, modules last.

    missing_modules: what is required and not found: where, and which places were looked at.
    """

    readings: Mapping[str, Reading]
    missing_modules: Mapping[str, tuple[Place, tuple[Path, ...]]]
    here: Here

    @property
    def calls(self) -> list[Call]:
        """All calls of all files."""
        return [call for reading in self.readings.values() for call in reading.calls]

    @property
    def definitions(self) -> list[Definition]:
        """All globals that are set, in the order of the files."""
        return [each for reading in self.readings.values() for each in reading.definitions]

    @property
    def functions(self) -> dict[str, Definition]:
        """The global functions; of those that are defined twice, the later one, which counts."""
        return {each.name: each for each in self.definitions if each.parameters is not None}
