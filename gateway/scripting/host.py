"""All scripts of the gateway: a lane for each script of the folder, and one for the legacy set."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from gateway.config.models import Scripts
from gateway.errors import ScriptSyntaxError
from gateway.metrics import Metrics
from gateway.ports import EventQueue, Tags
from gateway.scripting.filters import ScriptFilters
from gateway.scripting.folder import FolderWatch
from gateway.scripting.lane import Lane
from gateway.scripting.script import Script
from gateway.scripting.site import Site
from gateway.scripting.sources import Snapshot, by_short_names, snapshot_of
from gateway.scripting.surroundings import Surroundings
from gateway.scripting.unusable import Unusable
from gateway.scripting.watch import Watch

# The lane of the files that Orthanc's LuaScripts would list. No file of the folder is called so.
LEGACY = "LuaScripts"
# How long past its limit a script is waited for before its thread is given up.
GRACE_S = 2.0


class ScriptHost:
    """Runs the scripts of the folder until stop()."""

    def __init__(
        self,
        settings: Scripts,
        queue: EventQueue,
        tags: Tags,
        site: Site,
        metrics: Metrics,
        *,
        filters: ScriptFilters | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        """filters: asked by those who have been given them; told here which scripts there are."""
        self._settings = settings
        self._watch = Watch(grace_s)
        self.filters = filters or ScriptFilters(settings, metrics)
        self._around = Surroundings(
            queue,
            tags,
            site,
            metrics,
            self._watch,
            self.filters,
            heartbeat_s=settings.heartbeat_s,
        )
        self._lanes: dict[str, Lane] = {}
        self._present: tuple[str, ...] = ()
        self._folder = FolderWatch(settings.folder, self._carry_out, polling=settings.polling)

    @property
    def lanes(self) -> tuple[str, ...]:
        """The scripts that are there now; known when start() returns."""
        return self._present

    def start(self) -> None:
        """Open a lane for every script that is there; they load at the same time, in threads.

        When this returns, events that come are for these lanes, loaded or not.
        """
        self._watch.start()
        self._folder.start()
        self.filters.open()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let callbacks in hand come to their end; what takes longer is left to the next start."""
        deadline_s = time.monotonic() + timeout_s
        self._around.stopping.set()
        self._around.queue.wake()
        self._folder.stop()
        for lane in self._lanes.values():
            lane.join(deadline_s)
        self.filters.stop(max(0.0, deadline_s - time.monotonic()))
        self._watch.stop()

    def _carry_out(self, snapshot: Snapshot) -> None:
        """Bring the lanes in line with the folder; called at each look, also when nothing changed.

        A running script may by now use a module that it did not use when that module changed.
        """
        for name in self._present:
            if name != LEGACY and name not in snapshot.scripts:
                self._lanes[name].remove()
        self._present = (*self._legacy, *snapshot.scripts)
        for name in snapshot.scripts:
            renewed = partial(Script.of, name, snapshot, self._settings)
            self._update(name, (name,), snapshot, renewed)
        for name in self._legacy:
            named = by_short_names(self._settings.legacy)
            files = snapshot_of(named)
            parts = tuple(named)
            renewed = partial(Script.legacy, name, files, parts, self._settings)
            self._update(name, parts, files, renewed)

    def _update(
        self, name: str, parts: Sequence[str], snapshot: Snapshot, renewed: Callable[[], Script]
    ) -> None:
        """Have the lane run what its files say now.

        parts: its files in the snapshot. renewed: raises ScriptSyntaxError.
        """
        lane = self._lanes.setdefault(name, Lane(name, self._around))
        lane.open()
        if lane.latest is not None and not lane.latest.is_outdated_by(snapshot):
            return
        try:
            script = renewed()
        except ScriptSyntaxError as exc:
            lane.refuse(Unusable.of(parts, snapshot, exc))
        else:
            lane.install(script)

    @property
    def _legacy(self) -> tuple[str, ...]:
        """The lane of the legacy set, if there is one."""
        return (LEGACY,) if self._settings.legacy else ()
