"""Following one source: from its newest bookmark on, page by page, without leaving a gap."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

from gateway.config.models import Follow
from gateway.errors import GatewayError
from gateway.follow.changes import BEGINNING, Change, asked_since, began_anew
from gateway.follow.round import Result, take_all
from gateway.follow.source import Source
from gateway.follow.taking import Outcome, Taker
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Bookmark
from gateway.ports import Bookmarks

log = logger("follow")
LEFT_EVERY_S = 3600.0


class Follower:
    """Takes what is new at one source, one step() after the other.

    The bookmark moves only over changes whose instances are kept here, are gone there, or are noted
    as left behind: those that failed so often by themselves that they hold up the others.
    """

    def __init__(
        self,
        settings: Follow,
        source: Source,
        taker: Taker,
        bookmarks: Bookmarks,
        executor: Executor,
        metrics: Metrics,
        *,
        attempts: int,
    ) -> None:
        """attempts: how often to try an instance before it is left behind."""
        self._settings = settings
        self._name = settings.source
        self._source = source
        self._taker = taker
        self._bookmarks = bookmarks
        self._executor = executor
        self._metrics = metrics
        self._attempts = attempts
        self._failures: Counter[str] = Counter()
        # What is done behind the bookmark, while something at it is not.
        self._done_ahead: set[tuple[int, str]] = set()
        self._left_tried_at = -LEFT_EVERY_S

    def step(self) -> bool:
        """Follow one page of changes; False when there was nothing new.

        Raises GatewayError when it cannot go on now: what was taken until then stays so.
        """
        bookmark = self._bookmark()
        page = self._source.changes(asked_since(bookmark))
        if began_anew(page, bookmark):
            self._begin_anew(bookmark)
            return True
        new = page.behind(bookmark)
        if new:
            self._follow(new)
        self._try_left()
        return bool(new)

    def _bookmark(self) -> Bookmark:
        known = self._bookmarks.get(self._name)
        if known is not None:
            return known
        beginning = BEGINNING
        if self._settings.start == "now":
            beginning = self._source.newest_change().bookmark
        self._bookmarks.put(self._name, beginning)
        log.info("following a source for the first time", source=self._name, since=beginning.number)
        return beginning

    def _begin_anew(self, bookmark: Bookmark) -> None:
        """All that is in its new database came after what we have seen."""
        log.warning(
            "a source has begun its changes anew, as with another database: all of it is taken",
            source=self._name,
            followed_to=bookmark.number,
        )
        self._bookmarks.put(self._name, BEGINNING)
        self._done_ahead.clear()

    def _follow(self, changes: Sequence[Change]) -> None:
        """Take what the changes tell of, and move the bookmark as far as there is no gap."""
        wanted = {change.number: self._wanted(change) for change in changes}
        open_ids = [each for ids in wanted.values() for each in ids]
        results = take_all(self._executor, self._taker.take, open_ids)
        trouble: GatewayError | None = None
        reached: Bookmark | None = None
        for change in changes:
            for _ in wanted[change.number]:
                result = next(results)
                if self._is_settled(result):
                    self._done_ahead.add((change.number, result.instance_id))
                else:
                    trouble = trouble or result.error
            if trouble is None:
                reached = change.bookmark
                if wanted[change.number]:  # else it can wait: there is nothing to repeat
                    self._move_to(reached)
        if reached is not None:
            self._move_to(reached)
        if trouble is not None:
            raise trouble

    def _wanted(self, change: Change) -> list[str]:
        """The instances that are still to be taken because of a change."""
        if change.kind != self._settings.take:
            return []
        found: Sequence[str] | None = [change.resource_id]
        if change.kind == "StableStudy":
            found = self._source.instances_of(change.resource_id)
        return [each for each in found or () if (change.number, each) not in self._done_ahead]

    def _move_to(self, bookmark: Bookmark) -> None:
        self._bookmarks.put(self._name, bookmark)
        self._done_ahead = {each for each in self._done_ahead if each[0] > bookmark.number}

    def _is_settled(self, result: Result) -> bool:
        """Whether the bookmark may pass the instance."""
        if result.outcome is not None:
            self._count(result.outcome)
            self._failures.pop(result.instance_id, None)
            return True
        if result.error is None or not result.is_charged:
            return False
        self._failures[result.instance_id] += 1
        told = _told(result)
        if self._failures[result.instance_id] < self._attempts:
            log.warning("an instance could not be taken", source=self._name, **told)
            return False
        self._failures.pop(result.instance_id)
        self._bookmarks.leave_behind(self._name, result.instance_id, str(result.error))
        self._count(Outcome.LEFT)
        log.error("an instance is left behind, to be tried now and then", source=self._name, **told)
        return True

    def _try_left(self) -> None:
        """Those that were left behind, once more."""
        if time.monotonic() - self._left_tried_at < LEFT_EVERY_S:
            return
        left = self._bookmarks.left_behind(self._name)
        for result in take_all(self._executor, self._taker.take, left):
            if result.outcome is not None:
                self._count(result.outcome)
                self._bookmarks.settle(self._name, result.instance_id)
                told = {"instance": result.instance_id, "outcome": result.outcome}
                log.info("an instance that was left behind is settled", source=self._name, **told)
            elif result.error is not None:
                log.warning("an instance stays behind", source=self._name, **_told(result))
        self._left_tried_at = time.monotonic()

    def _count(self, outcome: Outcome) -> None:
        self._metrics.followed.labels(self._name, outcome).inc()


def _told(result: Result) -> Mapping[str, str]:
    kind = result.error.kind if result.error else ""
    return {"instance": result.instance_id, "kind": kind, "reason": str(result.error)}
