"""One round of taking: several instances at a time, and what became of each, in their order."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass

from gateway.errors import (
    GatewayError,
    InternalFault,
    RemoteError,
    RemoteUnreachable,
    StoreError,
)
from gateway.follow.taking import Outcome, is_unreadable
from gateway.logs import logger

log = logger("follow")
Take = Callable[[str], Outcome]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one instance: an outcome, an error, or neither when it was not tried."""

    instance_id: str
    outcome: Outcome | None = None
    error: GatewayError | None = None

    @property
    def is_charged(self) -> bool:
        """Whether the error may be the instance's own fault.

        Also when the connection broke: a source may do that at the same file every time.
        """
        error = self.error
        if isinstance(error, StoreError):
            return is_unreadable(error)
        if isinstance(error, RemoteError):
            return not error.blames_peer or isinstance(error, RemoteUnreachable)
        return isinstance(error, InternalFault)

    @property
    def ends_round(self) -> bool:
        """Whether other instances would fare no better now."""
        error = self.error
        if isinstance(error, RemoteError):
            return error.blames_peer
        return error is not None and not self.is_charged


def take_all(executor: Executor, take: Take, instance_ids: Sequence[str]) -> Iterator[Result]:
    """Take them, as many at a time as the executor does; a result for each, in their order.

    After one that ends the round, those that were not begun are not tried.
    """
    futures = [executor.submit(take, instance_id) for instance_id in instance_ids]
    try:
        for instance_id, future in zip(instance_ids, futures, strict=True):
            result = _result(instance_id, future)
            if result.ends_round:
                _cancel(futures)
            yield result
    finally:
        _cancel(futures)


def _result(instance_id: str, future: Future[Outcome]) -> Result:
    try:
        return Result(instance_id, outcome=future.result())
    except CancelledError:
        return Result(instance_id)
    except GatewayError as error:
        return Result(instance_id, error=error)
    except Exception as exc:  # a border: one odd instance must not hold up all others
        log.exception("a fault of ours", instance=instance_id)
        return Result(instance_id, error=InternalFault(exc))


def _cancel(futures: Sequence[Future[Outcome]]) -> None:
    for future in futures:
        future.cancel()
