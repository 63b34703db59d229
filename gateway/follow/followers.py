"""All sources that are followed, each by a thread of its own."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gateway.config.models import Configuration, Follow
from gateway.errors import ConfigurationInvalid, Fault, GatewayError
from gateway.follow.follower import Follower
from gateway.follow.source import Source
from gateway.follow.taking import Taker
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.ports import Bookmarks, Ingest
from gateway.routing.retry import RetryPolicy

log = logger("follow")
# When it is back, nobody wants to wait for long.
_LONGEST_DELAY_S = 60.0
_AFTER_A_FAULT_S = 5.0


class Followers:
    """start() them, stop() them once."""

    def __init__(
        self, settings: Configuration, ingest: Ingest, bookmarks: Bookmarks, metrics: Metrics
    ) -> None:
        """Raises ConfigurationInvalid when certificates cannot be read."""
        retry = _patient(RetryPolicy.of(settings.retry))
        self._threads: Sequence[_FollowThread] = [
            _FollowThread(follow, ingest, bookmarks, metrics, retry) for follow in settings.follow
        ]

    def start(self) -> None:
        """Begin to follow."""
        for thread in self._threads:
            thread.start()

    def stop(self, grace_s: float) -> None:
        """Give up what is on its way: it is taken after the next start."""
        for thread in self._threads:
            thread.stop()
        deadline = time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class _FollowThread:
    """Steps of a Follower, with a rest between them, and a longer one after trouble.

    This is a border: whatever happens is logged once, and it is tried again.
    """

    def __init__(
        self,
        settings: Follow,
        ingest: Ingest,
        bookmarks: Bookmarks,
        metrics: Metrics,
        retry: RetryPolicy,
    ) -> None:
        self._settings = settings
        self._retry = retry
        self._metrics = metrics
        self._source = _source(settings)
        self._downloads = ThreadPoolExecutor(settings.downloads, "download")
        taker = Taker(self._source, ingest, delete_at_source=settings.delete_at_source)
        self._follower = Follower(
            settings,
            self._source,
            taker,
            bookmarks,
            self._downloads,
            metrics,
            attempts=retry.attempts,
        )
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"follow-{settings.source}", daemon=True
        )

    def start(self) -> None:
        settings = self._settings
        log.info("following", source=settings.source, url=settings.url, take=settings.take)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._source.interrupt()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.warning("following did not end in time", source=self._settings.source)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._rest_s())
        self._downloads.shutdown()
        self._source.close()

    def _rest_s(self) -> float:
        """Make a step; how long to rest after it."""
        try:
            found = self._follower.step()
        except GatewayError as error:
            return self._after(error)
        except Exception:  # the border named above
            log.exception("following failed", source=self._settings.source)
            self._metrics.errors.labels(kind="internal").inc()
            return _AFTER_A_FAULT_S
        if self._failures:
            log.info("a source is followed again", source=self._settings.source)
        self._failures = 0
        self._metrics.source_up.labels(self._settings.source).set(1)
        return 0 if found else self._settings.poll_interval_s

    def _after(self, error: GatewayError) -> float:
        if self._stopping.is_set():  # which is what interrupted it
            return 0
        self._failures += 1
        delay_s = self._retry.delay_s(self._failures)
        self._metrics.errors.labels(kind=error.kind).inc()
        self._metrics.source_up.labels(self._settings.source).set(0)
        log.warning(
            "a source cannot be followed now",
            source=self._settings.source,
            kind=error.kind,
            reason=str(error),
            again_in_s=round(delay_s, 1),
        )
        return delay_s


def _patient(retry: RetryPolicy) -> RetryPolicy:
    return replace(retry, maximum_delay_s=min(retry.maximum_delay_s, _LONGEST_DELAY_S))


def _source(settings: Follow) -> Source:
    try:
        return Source(settings)
    except OSError as exc:
        problem = f"of {settings.source} cannot be used: {exc.strerror or exc}"
        raise ConfigurationInvalid([Fault("follow.trusted_certificates", problem)]) from exc
