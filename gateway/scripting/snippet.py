"""A few lines of Lua that somebody sends to be run at once, in a runtime of their own."""

from gateway.config.models import Scripts
from gateway.model import Origin
from gateway.scripting.header import LaneSettings
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.site import Site

_NAME = "line"


def run_snippet(source: bytes, settings: Scripts, site: Site, *, asked_by: Origin) -> str:
    """Run it to its end; answers what it printed, line by line. Raises ScriptError.

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
    LoadedScript(script, site, printed.append, generation=generation).close()
    return "".join(f"{line}\n" for line in printed)
