"""The loops that send: some for each remote, begun when something first waits for it.

A remote is a modality or a peer, of the configuration or put over REST while the gateway runs.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action
from gateway.routing.loop import Loop, Work
from gateway.routing.signal import WorkSignals

log = logger("routing")
_NOBODY = "tasks wait for a destination that is not configured"


@dataclass(frozen=True, slots=True)
class Sending:
    """How one kind of remote is sent to.

    find: its settings, which compare, None when there is no such remote (any more). make: what
    sends to it. side_by_side: how many of these at the same time.
    """

    find: Callable[[str], Any]
    make: Callable[[str, Any], Work]
    side_by_side: Callable[[Any], int]


class Remote:
    """Sends to one remote as it is described now: with new settings, sending begins anew."""

    def __init__(self, name: str, sending: Sending) -> None:
        self._name = name
        self._sending = sending
        self._settings: Any = None
        self._work: Work | None = None

    def work(self, stopping: Callable[[], bool]) -> bool:
        """See Work. What waits for a remote that nobody knows goes on waiting."""
        settings = self._sending.find(self._name)
        if settings != self._settings:
            self.close()
            self._settings = settings
            if settings is None:
                log.warning(_NOBODY, destination=self._name)
            else:
                self._work = self._sending.make(self._name, settings)
        return self._work.work(stopping) if self._work else False

    def close(self) -> None:
        """See Work."""
        work, self._work = self._work, None
        if work is not None:
            work.close()


class Senders:
    """All loops that send."""

    def __init__(
        self, kinds: Mapping[Action, Sending], signals: WorkSignals, metrics: Metrics
    ) -> None:
        self._kinds = kinds
        self._signals = signals
        self._metrics = metrics
        self._lock = threading.Lock()
        self._loops: dict[tuple[Action, str], list[Loop]] = {}
        self._is_stopping = False

    def start(self, remotes: Collection[tuple[Action, str]]) -> None:
        """Begin with these, and with every other as soon as something waits for it."""
        self._signals.listen(self.need)
        for action, name in sorted(remotes):
            self.need(action, name)
            if self._kinds[action].find(name) is None:
                log.warning(_NOBODY, destination=name)

    def need(self, action: Action, name: str) -> None:
        """Have loops for this remote."""
        if action not in self._kinds:
            return
        with self._lock:
            if self._is_stopping or (action, name) in self._loops:
                return
            loops = self._loops[action, name] = self._made(action, name)
        for loop in loops:
            loop.start()

    def stop(self) -> list[Loop]:
        """No more of them from now on; answers those that are there, for stopping."""
        with self._lock:
            self._is_stopping = True
        return [loop for loops in self._loops.values() for loop in loops]

    def _made(self, action: Action, name: str) -> list[Loop]:
        sending = self._kinds[action]
        settings = sending.find(name)
        return [
            Loop(
                f"{action}-{name}-{number}",
                Remote(name, sending),
                self._signals.of(action, name),
                self._metrics,
            )
            for number in range(sending.side_by_side(settings) if settings else 1)
        ]
