"""The one table of callbacks: what a script may define, with which arguments, and where it runs.

docs/scripting.md describes each of them; a test fails when one is missing there.
"""

from dataclasses import dataclass
from enum import StrEnum


class Context(StrEnum):
    """Where a callback runs; it decides which primitives it may call."""

    EVENT = "event"  # in the lane, for one event: its primitives are planned
    LIFE = "life"  # when a runtime begins or ends: there is nothing to plan for


@dataclass(frozen=True, slots=True)
class Callback:
    """A function that a script may define as a global."""

    name: str
    arguments: tuple[str, ...]
    context: Context

    @property
    def signature(self) -> str:
        """As one would write it in a script."""
        return f"{self.name}({', '.join(self.arguments)})"


ON_STORED_INSTANCE = Callback(
    "OnStoredInstance", ("instanceId", "tags", "metadata", "origin"), Context.EVENT
)
INITIALIZE = Callback("Initialize", (), Context.LIFE)
FINALIZE = Callback("Finalize", (), Context.LIFE)

CALLBACKS: tuple[Callback, ...] = (ON_STORED_INSTANCE, INITIALIZE, FINALIZE)
