"""What lanes need of the rest of the gateway."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.ports import EventQueue, Tags
from gateway.scripting.filters import ScriptFilters
from gateway.scripting.site import Site
from gateway.scripting.watch import Watch

log = logger("scripting")
_FIRST_DELAY_S, _MAXIMUM_DELAY_S = 0.1, 10.0
T = TypeVar("T")


class Stopping(Exception):
    """The gateway stops: leave what is not recorded to the next start."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The same for all lanes. stopping: set when the gateway stops.

    heartbeat_s: how often OnHeartBeat is called; 0 for never.
    """

    queue: EventQueue
    tags: Tags
    site: Site
    metrics: Metrics
    watch: Watch
    filters: ScriptFilters
    heartbeat_s: float = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def persist(self, action: Callable[[], T], *, final: tuple[type[GatewayError], ...] = ()) -> T:
        """Speak to the queue until it answers: a lane cannot go on with what is not recorded.

        Raises the errors that `final` names, and Stopping.
        """
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                return action()
            except final:
                raise
            except Exception:  # a border: whatever the queue stumbled over, the lane is innocent
                log.exception("the event queue failed, trying again", delay_s=delay_s)
                self.metrics.errors.labels(kind="event-queue").inc()
            if self.stopping.wait(delay_s):
                raise Stopping
            delay_s = min(delay_s * 2, _MAXIMUM_DELAY_S)
