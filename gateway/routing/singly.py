"""Workers that carry out one task after the other, each by itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from gateway.errors import GatewayError, InternalFault, StorageFull
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action, Task
from gateway.routing.claims import Claims
from gateway.store.tasks import Tasks

log = logger("routing")


class Singly(ABC):
    """Claims tasks of one action; what goes wrong parks the task with its reason."""

    def __init__(self, action: Action, tasks: Tasks, metrics: Metrics) -> None:
        self._tasks = tasks
        self._claims = Claims(tasks, action)
        self._metrics = metrics

    def work(self, stopping: Callable[[], bool]) -> bool:
        """Carry out one task; False when none is due."""
        claimed = self._claims.take(1)
        for task in claimed:
            self._try(task, stopping)
        self._claims.answered()
        return bool(claimed)

    def close(self) -> None:  # noqa: B027 - there is nothing to do
        """Nothing is held between two tasks."""

    @abstractmethod
    def carry_out(self, task: Task, stopping: Callable[[], bool]) -> None:
        """Do it and say that it is done. Raises GatewayError."""

    def _try(self, task: Task, stopping: Callable[[], bool]) -> None:
        try:
            self.carry_out(task, stopping)
        except StorageFull:  # no fault of the instance: the loop comes back to it
            raise
        except GatewayError as error:
            if stopping():  # what worked on it was ended with us: no fault of the instance
                self._tasks.give_back([task]).result()
            else:
                self.failed(task, error)
        except Exception as exc:  # a border: our fault with one task must not keep the others
            log.exception("a task could not be carried out", task=task.task_id)
            self.failed(task, InternalFault(exc))

    def failed(self, task: Task, error: GatewayError) -> None:
        """Park it."""
        self.tell_failure("task parked", task, error)
        self._tasks.park(task, error).result()

    def tell_failure(self, outcome: str, task: Task, error: GatewayError) -> None:
        """Count and log it."""
        self._metrics.errors.labels(kind=error.kind).inc()
        log.warning(
            outcome,
            task=task.task_id,
            action=task.action,
            instance=task.version.instance_id,
            kind=error.kind,
            reason=str(error),
            script=task.line,
        )
