"""Looking for the faults of all scripts at once, for `gateway check`.

Nothing of a script is run: its main chunk may do anything, and this is not the gateway that it was
written for. So the header and the grammar of every file are checked, and nothing else.
"""

import re
from pathlib import Path

from gateway.config.models import Scripts
from gateway.errors import Fault, ScriptSyntaxError
from gateway.scripting import header
from gateway.scripting.runtime import Runtime, without_preamble
from gateway.scripting.sources import Snapshot, take_snapshot

_WHERE = re.compile(r"(.+?:\d+): (.*)", re.DOTALL)


def check_folder(folder: Path, settings: Scripts) -> list[Fault]:
    """Every fault of every Lua file of the folder, modules included. Raises OSError (no folder)."""
    snapshot = take_snapshot(folder)
    faults = list(snapshot.faults.values())
    for path in sorted(snapshot.files):
        faults += _header_faults(path, snapshot, settings)
        faults += grammar_faults(path, snapshot.files[path])
    return faults


def _header_faults(path: str, snapshot: Snapshot, settings: Scripts) -> list[Fault]:
    if path not in snapshot.scripts:
        return []
    text = without_preamble(snapshot.files[path]).decode("utf-8", "replace")
    try:
        header.parse(path, text, settings)
    except header.HeaderInvalid as exc:
        return list(exc.faults)
    return []


def grammar_faults(path: str, source: bytes) -> list[Fault]:
    """What the compiler says of the text of one file, with its line."""
    # Reading the grammar needs no host functions, and none is called.
    runtime = Runtime("sandboxed", memory_mb=1024, host={"primitives": lambda: ()})
    try:
        runtime.compile(source, path)
    except ScriptSyntaxError as exc:
        found = _WHERE.fullmatch(str(exc))
        return [Fault(found[1], found[2]) if found else Fault(path, str(exc))]
    finally:
        runtime.close()
    return []
