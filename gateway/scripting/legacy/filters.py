"""Filters: what they answer, and what they share, is not quite as in Orthanc."""

from collections.abc import Iterator

from gateway.scripting import callbacks
from gateway.scripting.legacy.findings import Finding, LegacySet, differs

_HTTP_FILTER = callbacks.INCOMING_HTTP_REQUEST_FILTER.name
_C_STORE_FILTER = callbacks.RECEIVED_C_STORE_FILTER.name
_ACCEPTANCE = frozenset(callback.name for callback in callbacks.ACCEPTANCE.values())


def answers(legacy: LegacySet) -> Iterator[Finding]:
    """What filters answer."""
    for name, definition in legacy.functions.items():
        if name == _C_STORE_FILTER:
            yield differs(
                definition.place,
                f"{name}: 0 keeps the instance, any other status discards it and is answered",
                "as Orthanc documents it; its 1.10.1 does the opposite, and answers success",
            )
        elif name in _ACCEPTANCE:
            yield differs(
                definition.place,
                f"{name} is asked for each association",
                "Orthanc has not asked since 1.9, and goes by its configuration alone",
            )


def shared_globals(legacy: LegacySet) -> Iterator[Finding]:
    """Globals by which the filter of requests and the other callbacks tell each other something."""
    told: set[str] = set()
    reads = [read for reading in legacy.readings.values() for read in reading.reads]
    for definition in legacy.definitions:
        setter = definition.place.function
        for read in reads:
            reader = read.place.function
            is_shared = read.name == definition.name and setter and reader and setter != reader
            if is_shared and _HTTP_FILTER in (setter, reader) and read.name not in told:
                told.add(read.name)
                yield differs(
                    definition.place,
                    f"what {setter} puts into {read.name} is not seen in {reader}",
                    f"{_HTTP_FILTER} has runtimes of its own: use StoreKeyValue and GetKeyValue",
                )
