"""The work of tasks that send: all that waits for one destination goes over one connection.

What a modality accepts decides what is sent to it, see preparation.py; a peer takes everything.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from gateway.dimse.contexts import Need
from gateway.errors import GatewayError, InternalFault, NotToBeSent, TranscodeError
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action, Task
from gateway.routing.breaker import Breaker
from gateway.routing.claims import Claims
from gateway.routing.retry import RetryPolicy
from gateway.store.tasks import Tasks

log = logger("forward")
BATCH = 32


class Connection(Protocol):
    """To a destination; link.py speaks DICOM, peers.py HTTP."""

    def open(self, calling_aet: str, needs: Iterable[Need]) -> None:
        """Have one on which each instance could be sent. Raises RemoteError."""

    def accepted(self, sop_class_uid: str) -> frozenset[str]:
        """The transfer syntaxes that the destination takes for this SOP class."""

    def store(self, path: Path) -> None:
        """Send one file. Raises RemoteError."""

    def close_if_idle(self) -> None:
        """Let go of it when nothing was sent for a while."""

    def close(self) -> None:
        """Let go of it."""


class Files(Protocol):
    """What is sent for tasks; see preparation.py."""

    def need(self, task: Task) -> Need:
        """What the task could be sent in."""

    def begin(
        self, tasks: Sequence[Task], accepted: Callable[[str], frozenset[str]]
    ) -> "list[Future[Path]]":
        """A path for each task, in order."""

    def discard(self, prepared: "Iterable[Future[Path]]") -> None:
        """Remove what was made for a batch."""


class ForwardWorker:
    """Sends to one destination, over one connection of its own."""

    def __init__(
        self,
        name: str,
        link: Connection,
        tasks: Tasks,
        preparation: Files,
        retry: RetryPolicy,
        metrics: Metrics,
        *,
        action: Action = Action.FORWARD,
    ) -> None:
        self._name = name
        self._action = action
        self._link = link
        self._tasks = tasks
        self._claims = Claims(tasks, action, name)
        self._preparation = preparation
        self._retry = retry
        self._breaker = Breaker(retry)
        self._metrics = metrics

    def work(self, stopping: Callable[[], bool]) -> bool:
        """Send what waits; False when nothing is due or the destination is left alone."""
        if self._is_left_alone():
            return False
        claimed = self._claims.take(BATCH)
        if not claimed:
            self._link.close_if_idle()
            return False
        for calling_aet, group in groupby(sorted(claimed, key=_calling_aet), key=_calling_aet):
            self._send_group(calling_aet, list(group), stopping)
        self._claims.answered()
        return True

    def close(self) -> None:
        """End the connection."""
        self._link.close()

    def _is_left_alone(self) -> bool:
        """The destination is in trouble, and nobody asked that it be tried all the same."""
        return self._breaker.remaining_s() > 0 and not self._tasks.is_asked_for(
            self._action, self._name
        )

    def _send_group(
        self, calling_aet: str, tasks: Sequence[Task], stopping: Callable[[], bool]
    ) -> None:
        if stopping():
            self._tasks.give_back(tasks).result()
            return
        try:
            self._link.open(calling_aet, map(self._preparation.need, tasks))
        except GatewayError as error:
            self._cannot_open(error, tasks)
            return
        if self._breaker.succeeded():
            log.info("destination answers again", destination=self._name)
        prepared = self._preparation.begin(tasks, self._link.accepted)
        results: list[Future[Any]] = []
        try:
            for index, task in enumerate(tasks):
                if stopping():
                    results.append(self._tasks.give_back(tasks[index:]))
                    break
                trouble = self._send(task, prepared[index], results, stopping)
                if trouble:
                    self._break_off(trouble, tasks[index + 1 :])
                    break
        finally:
            self._preparation.discard(prepared)
        for result in results:
            result.result()

    def _send(
        self,
        task: Task,
        prepared: "Future[Path]",
        results: list["Future[Any]"],
        stopping: Callable[[], bool],
    ) -> GatewayError | None:
        """Send one instance; answer the error after which this association is of no use."""
        started = time.monotonic()
        try:
            path = prepared.result()
            self._link.store(path)
            size_bytes = path.stat().st_size  # now: once its task is done, the file may go
        except NotToBeSent as unwanted:
            results.append(self._drop(task, unwanted))
            return None
        except GatewayError as error:
            if stopping() and isinstance(error, TranscodeError):
                # Its codec process was ended with us: no fault of the image.
                results.append(self._tasks.give_back([task]))
                return None
            results.append(self._failed(task, error))
            return error if error.blames_peer else None
        except Exception as exc:  # a border: our fault with one instance must not keep the others
            log.exception("an instance could not be sent", task=task.task_id)
            fault = InternalFault(exc)
            results.append(self._failed(task, fault))
            return fault
        results.append(self._tasks.done(task))
        self._metrics.forwarded.labels(destination=self._name).inc()
        log.info(
            "instance forwarded",
            instance=task.version.instance_id,
            destination=self._name,
            task=task.task_id,
            bytes=size_bytes,
            ms=round((time.monotonic() - started) * 1000, 1),
        )
        return None

    def _drop(self, task: Task, unwanted: NotToBeSent) -> "Future[Any]":
        """What is not sent must not be deleted either: the steps that need it go as well."""
        log.info(
            "instance is not sent",
            instance=task.version.instance_id,
            destination=self._name,
            task=task.task_id,
            script=task.line,
            reason=str(unwanted),
        )
        return self._tasks.drop(task, unwanted)

    def _failed(self, task: Task, error: GatewayError) -> "Future[Any]":
        """The attempt counts, also when the connection broke: this instance may be the cause."""
        self._metrics.errors.labels(kind=error.kind).inc()
        delay_s = self._retry.next_delay_s(error, task.attempts)
        about = {
            "task": task.task_id,
            "instance": task.version.instance_id,
            "destination": self._name,
            "attempt": task.attempts + 1,
            "kind": error.kind,
            "reason": str(error),
        }
        if delay_s is None:
            log.error("task parked", script=task.line, **about)
            return self._tasks.park(task, error)
        log.warning("forward failed, will be tried again", in_s=round(delay_s), **about)
        return self._tasks.postpone(task, error, delay_s)

    def _cannot_open(self, error: GatewayError, tasks: Sequence[Task]) -> None:
        if error.blames_peer:
            self._in_trouble(error, tasks)
            return
        for task in tasks:  # the peer is well, or the fault is ours: each of them fails alike
            self._failed(task, error).result()

    def _break_off(self, error: GatewayError, untried: Sequence[Task]) -> None:
        if error.blames_peer:
            self._in_trouble(error, untried)
            return
        self._link.close()  # nobody knows what has been sent over it
        self._tasks.give_back(untried).result()

    def _in_trouble(self, error: GatewayError, untried: Sequence[Task]) -> None:
        self._link.close()
        delay_s = self._breaker.failed()
        self._metrics.errors.labels(kind=error.kind).inc()
        log.warning(
            "destination in trouble, its instances wait",
            destination=self._name,
            waiting=len(untried),
            next_try_in_s=round(delay_s),
            kind=error.kind,
            reason=str(error),
        )
        self._tasks.excuse(untried, error, delay_s).result()


def _calling_aet(task: Task) -> str:
    """The AE title that the script asked for, "" for the destination's own."""
    return task.parameters.get("calling_aet") or ""
