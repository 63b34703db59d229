"""The header of a script: `-- gateway: concurrency=4, profile=sandboxed` in its first comments."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from gateway.config.models import Scripts
from gateway.errors import Fault

# A key of the header, the key of the configuration that it overrides, and a right value.
KEYS = {
    "concurrency": ("concurrency", "a whole number from 1 to 64"),
    "profile": ("profile", "trusted or sandboxed"),
    "timeout": ("timeout_s", "seconds, above 0"),
    "memory": ("memory_mb", "megabytes, a whole number from 16 to 4096"),
    "lua": ("lua", "jit or 5.4"),
}
_HEADER = re.compile(r"--\s*gateway\s*:(.*)")
_MISPLACED = re.compile(rf"\s*--\s*gateway\s*:\s*({'|'.join(KEYS)})\s*=")


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """How one script runs: what the configuration says, unless the script's header differs.

    timeout_s: wall-clock seconds for the main chunk and for each call of a callback.
    memory_mb: of each of its `concurrency` runtimes.
    """

    profile: Literal["trusted", "sandboxed"]
    timeout_s: float
    memory_mb: int
    concurrency: int
    lua: Literal["jit", "5.4"] = "jit"


class HeaderInvalid(ValueError):
    """The header is not understood; `faults` says each thing that is wrong, with its line."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def parse(name: str, source: str, defaults: Scripts) -> LaneSettings:
    """The settings of the script `name`. Raises HeaderInvalid.

    It stands in the line comments before the first line of code (or block comment); several
    header lines add up. One that stands further down is a fault: it would be overlooked.
    """
    values = defaults.model_dump(include={key for key, _ in KEYS.values()})
    lines = source.split("\n")
    top = next((n for n, line in enumerate(lines) if _is_code(line)), len(lines))
    faults = [
        Fault(f"{name}:{number}", "a header below the first line of code", "move it to the top")
        for number, line in enumerate(lines[top:], start=top + 1)
        if _MISPLACED.match(line)
    ]
    for number, entry in _entries(lines[:top]):
        fault = _apply(entry, values, f"{name}:{number}")
        if fault:
            faults.append(fault)
    if faults:
        raise HeaderInvalid(faults)
    return LaneSettings(**values)


def _is_code(line: str) -> bool:
    text = line.strip()
    return (bool(text) and not text.startswith(("--", "#!"))) or text.startswith("--[")


def _entries(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Line number and text of each `key=value`."""
    for number, line in enumerate(lines, start=1):
        header = _HEADER.match(line.strip())
        for entry in header[1].split(",") if header else ():
            yield number, entry.strip()


def _apply(entry: str, values: dict[str, object], where: str) -> Fault | None:
    """Put one entry into `values`, or say what is wrong with it."""
    key, equals, text = (part.strip() for part in entry.partition("="))
    if not equals:
        return Fault(where, f"header entry {entry!r} is not key=value", "separate with commas")
    if key not in KEYS:
        return Fault(where, f"unknown header key {key!r}", f"known are {', '.join(KEYS)}")
    field, remedy = KEYS[key]
    try:
        # The configuration's own rules, so that a header can say what the configuration could.
        values[field] = getattr(Scripts.model_validate({field: text}, strict=False), field)
    except ValidationError:
        return Fault(where, f"{key}={text} is not possible", remedy)
    return None
