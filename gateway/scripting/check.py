"""Looking for the faults of all scripts at once, for `gateway check`.

Nothing of a script is run: its main chunk may do anything, and this is not the gateway that it was
written for. So the header and the grammar of every file are checked, and nothing else.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from gateway.config.models import Scripts
from gateway.errors import Fault, ScriptSyntaxError
from gateway.scripting import header
from gateway.scripting.runtime import Dialect, Runtime, without_preamble
from gateway.scripting.sources import Snapshot, by_short_names, snapshot_of, take_snapshot

_WHERE = re.compile(r"(.+?:\d+): (.*)", re.DOTALL)


def check_folder(folder: Path, settings: Scripts) -> list[Fault]:
    """Every fault of every Lua file of the folder, modules included. Raises OSError (no folder)."""
    snapshot = take_snapshot(folder)
    faults = list(snapshot.faults.values())
    headers = {path: _dialect(path, snapshot, settings) for path in snapshot.scripts}
    spoken = sorted({dialect for dialect, _ in headers.values()}) or [settings.lua]
    for path in sorted(snapshot.files):
        dialect, header_faults = headers.get(path, (None, []))
        faults += header_faults
        faults += _faults_in_all(path, snapshot.files[path], [dialect] if dialect else spoken)
    return faults


def check_legacy(paths: Sequence[Path], settings: Scripts) -> list[Fault]:
    """Every fault of the files of the legacy set, whose first header counts for all."""
    snapshot = snapshot_of(by_short_names(paths))
    faults = list(snapshot.faults.values())
    if not snapshot.files:
        return faults
    dialect, header_faults = _dialect(next(iter(snapshot.files)), snapshot, settings)
    faults += header_faults
    for path, source in snapshot.files.items():
        faults += grammar_faults(path, source, dialect)
    return faults


def _dialect(path: str, snapshot: Snapshot, settings: Scripts) -> tuple[Dialect, list[Fault]]:
    """Which Lua a script is for, and the faults of its header."""
    text = without_preamble(snapshot.files[path]).decode("utf-8", "replace")
    try:
        return header.parse(path, text, settings).lua, []
    except header.HeaderInvalid as exc:
        return settings.lua, list(exc.faults)


def _faults_in_all(path: str, source: bytes, dialects: Sequence[Dialect]) -> list[Fault]:
    """A module may be for any Lua that a script is for: its faults, if none of them takes it."""
    found = [grammar_faults(path, source, dialect) for dialect in dialects]
    return found[-1] if all(found) else []


def grammar_faults(path: str, source: bytes, lua: Dialect = "jit") -> list[Fault]:
    """What the compiler says of the text of one file, with its line."""
    # Reading the grammar needs no host functions, and none is called.
    runtime = Runtime("sandboxed", memory_mb=1024, host={"primitives": lambda: ()}, lua=lua)
    try:
        runtime.compile(source, path)
    except ScriptSyntaxError as exc:
        found = _WHERE.fullmatch(str(exc))
        return [Fault(found[1], found[2]) if found else Fault(path, str(exc))]
    finally:
        runtime.close()
    return []
