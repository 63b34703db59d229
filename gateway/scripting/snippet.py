"""A few lines of Lua that somebody sends to be run at once, in a runtime of their own."""

from gateway.config.models import Scripts
from gateway.errors import ScriptError
from gateway.model import Origin
from gateway.scripting.callbacks import CALLBACKS, Context
from gateway.scripting.header import LaneSettings
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.site import Site

_NAME = "line"
_LASTING = frozenset(each.name for each in CALLBACKS if each.context is not Context.LIFE)


def run_snippet(source: bytes, settings: Scripts, site: Site, *, asked_by: Origin) -> str:
    """Run it to its end; answers what it printed, line by line.

    Raises ScriptError, also when it defines callbacks: Orthanc would call them from now on, and
    whoever sends them must not believe that they are there.

    It has what a script has, within the limits of all scripts; there is no event whose plan it
    could add to. asked_by: what a script sends goes on where that script is, so that a loop is
    noticed.
    """
    printed: list[str] = []
    limits = LaneSettings(
        profile=settings.profile,
        timeout_s=settings.timeout_s,
        memory_mb=settings.memory_mb,
        concurrency=1,
        lua=settings.lua,
    )
    script = Script(_NAME, {_NAME: source}, limits)
    generation = max(asked_by.generation, 1)
    loaded = LoadedScript(script, site, printed.append, generation=generation)
    loaded.close()
    if lost := _LASTING.intersection(loaded.callbacks):
        raise ScriptError(
            f"{', '.join(sorted(lost))} would be gone with these lines, which have run:"
            " put them into a file of the script folder"
        )
    return "".join(f"{line}\n" for line in printed)
