"""Files that cannot become a script, and what they seem to filter all the same."""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.errors import ScriptError
from gateway.scripting.callbacks import FILTERS
from gateway.scripting.sources import Snapshot, speaks_of


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why files cannot become a script, and what is known of them.

    filters: that their text speaks of. is_read: False when one of them could not be read, so that
    there may be more filters.
    """

    error: ScriptError
    filters: frozenset[str]
    is_read: bool

    @classmethod
    def of(cls, parts: Collection[str], snapshot: Snapshot, error: ScriptError) -> "Unusable":
        """parts: the files that are no script. error: why not."""
        filters = (name for name in FILTERS if speaks_of(snapshot.files, parts, name))
        return cls(error, frozenset(filters), snapshot.faults.keys().isdisjoint(parts))
