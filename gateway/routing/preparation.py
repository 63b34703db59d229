"""The file that a destination takes: as stored, or transcoded down its ladder.

A batch is transcoded side by side while the first of it is already on its way.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from gateway.config.models import Destination
from gateway.dicom import syntaxes
from gateway.dicom.rates import loses
from gateway.dimse.contexts import Choice, Need, choose
from gateway.errors import GatewayError, NoAcceptableSyntax, TranscodeUnsupported
from gateway.logs import logger
from gateway.model import Task, TranscodeOptions, TranscodeReport
from gateway.routing.transcoding import Transcoding, options_of
from gateway.store.files import FileStorage, StagedFile

log = logger("forward")


class Preparation:
    """Finds or makes what is sent to one destination."""

    def __init__(
        self,
        destination: Destination,
        storage: FileStorage,
        transcoding: Transcoding,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._ladder = destination.syntaxes
        self._options = destination.transcode.options(transcoding.options)
        self._storage = storage
        self._transcoding = transcoding
        self._pool = pool
        self._made: list[StagedFile] = []

    def need(self, task: Task) -> Need:
        """What the task could be sent in: by its own ladder, if the script gave one."""
        ladder = tuple(task.parameters.get("ladder", self._ladder))
        return Need(task.version.sop_class_uid, task.version.transfer_syntax_uid, ladder)

    def begin(
        self, tasks: Sequence[Task], accepted: Callable[[str], frozenset[str]]
    ) -> list["Future[Path]"]:
        """A path for each task, in order; accepted: SOP class -> syntax UIDs the peer takes."""
        return [self._begin_one(task, accepted(task.version.sop_class_uid)) for task in tasks]

    def discard(self, prepared: Iterable["Future[Path]"]) -> None:
        """Remove what was made for a batch."""
        for future in prepared:
            future.cancel()
        for future in prepared:
            if not future.cancelled():
                future.exception()  # wait: a file may be on its way
        for staged in self._made:
            staged.discard()
        self._made.clear()

    def _begin_one(self, task: Task, accepted: frozenset[str]) -> "Future[Path]":
        ready: Future[Path] = Future()
        try:
            choice = choose(self.need(task), accepted)
        except GatewayError as error:
            ready.set_exception(error)
            return ready
        if choice.ladder:
            return self._pool.submit(self._transcode, task, choice, accepted)
        ready.set_result(self._stored(task))
        return ready

    def _transcode(self, task: Task, choice: Choice, accepted: frozenset[str]) -> Path:
        try:
            return self._make(task, choice.ladder, accepted)
        except (TranscodeUnsupported, NoAcceptableSyntax) as refusal:
            if not choice.as_stored:
                raise
            log.info(
                "instance goes as stored",
                instance=task.version.instance_id,
                task=task.task_id,
                syntax=syntaxes.label(task.version.transfer_syntax_uid),
                refused=str(refusal),
            )
            return self._stored(task)

    def _make(self, task: Task, ladder: tuple[str, ...], accepted: frozenset[str]) -> Path:
        """Raises TranscodeError, NoAcceptableSyntax."""
        options = options_of(task, self._options)
        staged, report = self._transcoding.make(task.version, ladder, options)
        if report.target_syntax_uid in accepted:
            self._made.append(staged)
            return staged.path
        staged.discard()
        left = _left(ladder, report, options)
        if left and left != ladder:
            return self._make(task, left, accepted)
        raise NoAcceptableSyntax(
            f"{_reason(report.changed)} {syntaxes.label(report.target_syntax_uid)},"
            " which the destination does not accept"
        )

    def _stored(self, task: Task) -> Path:
        return self._storage.path(task.version.storage_key)


def _left(
    ladder: tuple[str, ...], report: TranscodeReport, options: TranscodeOptions
) -> tuple[str, ...]:
    """The rungs that may still do when the result cannot be sent."""
    rungs = map(syntaxes.by_uid, ladder)
    if report.changed:  # the loss was more than allowed, and it was made without any
        return tuple(rung.uid for rung in rungs if not loses(rung, options))
    # Without pixels there is nothing to compress: a rung that would leaves it as it is.
    return tuple(rung.uid for rung in rungs if not rung.is_encapsulated)


def _reason(changed: bool) -> str:
    return "comes out in" if changed else "has nothing to compress, and stays in"
