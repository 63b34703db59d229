"""The work of TRANSCODE tasks: a codec process makes the file, the store enters it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.config.models import Codecs as CodecSettings
from gateway.dicom import syntaxes
from gateway.errors import GatewayError, InternalFault, StorageFull, TranscodeError
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action, Task, TranscodeOptions, TranscodeReport, Version
from gateway.ports import Codecs
from gateway.routing.claims import Claims
from gateway.store.files import DERIVED, FileStorage, StagedFile
from gateway.store.instances import NewVersion
from gateway.store.tasks import Tasks

log = logger("transcode")


class Transcoding:
    """Takes a file from one syntax to another, for tasks and for destinations that need it."""

    def __init__(
        self, storage: FileStorage, codecs: Codecs, settings: CodecSettings, metrics: Metrics
    ) -> None:
        self.options = settings.options()
        self._storage = storage
        self._codecs = codecs
        self._metrics = metrics

    def make(
        self, version: Version, ladder: Sequence[str], options: TranscodeOptions
    ) -> tuple[StagedFile, TranscodeReport]:
        """A staged, synced file of the version in the first syntax of the ladder that it allows.

        Raises TranscodeError.
        """
        staged = self._storage.stage(DERIVED, made_from=version.instance_id)
        try:
            report = self._codecs.transcode(
                self._storage.path(version.storage_key), staged.path, ladder, options
            )
        except BaseException:
            staged.discard()
            raise
        self._tell(version, report)
        return staged, report

    def _tell(self, version: Version, report: TranscodeReport) -> None:
        made = syntaxes.label(report.target_syntax_uid)
        self._metrics.codec_seconds.labels(syntax=made).inc(report.codec_seconds)
        if report.lossy:
            self._metrics.lossy.labels(syntax=made).inc()
        log.info(
            "instance transcoded",
            instance=version.instance_id,
            syntax_before=syntaxes.label(report.source_syntax_uid),
            syntax_after=made,
            bytes_before=report.source_bytes,
            bytes_after=report.target_bytes,
            verified_by=report.verified_by,
            **_losses(report),
            ms=round(report.codec_seconds * 1000, 1),
        )


def _losses(report: TranscodeReport) -> Mapping[str, Any]:
    """What is worth telling only when it is there."""
    told: dict[str, Any] = {}
    if report.lossy:
        told |= {"lossy": True, "sop_instance_uid": report.sop_instance_uid}
    if report.psnr_db is not None:
        told["psnr_db"] = round(report.psnr_db, 2)
    if report.max_error is not None:
        told["max_error"] = report.max_error
    if report.refusals:
        told["refused"] = list(report.refusals)
    return told


def options_of(task: Task, otherwise: TranscodeOptions) -> TranscodeOptions:
    """What the script asked for in this call; what it did not, as in `otherwise`."""
    return replace(otherwise, **task.parameters.get("options", {}))


class TranscodeWorker:
    """Carries out one TRANSCODE task after the other, in one thread."""

    def __init__(self, tasks: Tasks, transcoding: Transcoding, metrics: Metrics) -> None:
        self._tasks = tasks
        self._claims = Claims(tasks, Action.TRANSCODE)
        self._transcoding = transcoding
        self._metrics = metrics

    def work(self, stopping: Callable[[], bool]) -> bool:
        """Carry out one task; False when none is due."""
        claimed = self._claims.take(1)
        for task in claimed:
            self._carry_out(task, stopping)
        self._claims.answered()
        return bool(claimed)

    def close(self) -> None:
        """Nothing is held between two tasks."""

    def _carry_out(self, task: Task, stopping: Callable[[], bool]) -> None:
        try:
            staged, report = self._make(task)
        except StorageFull:  # no fault of the image: the loop comes back to it
            raise
        except GatewayError as error:
            if stopping():  # its codec process was ended with us: no fault of the image
                self._tasks.give_back([task])
            else:
                self._failed(task, error)
            return
        except Exception as exc:  # a border: our fault with one image must not keep the others
            log.exception("an image could not be transcoded", task=task.task_id)
            self._failed(task, InternalFault(exc))
            return
        if not report.changed:  # it has that syntax already: go on with the version as it is
            staged.discard()
            self._tasks.done(task).result()
            return
        new = NewVersion(staged.key, report.target_syntax_uid, report.target_bytes)
        self._tasks.derived(task, staged, new, replace=_replaces(task)).result()

    def _make(self, task: Task) -> tuple[StagedFile, TranscodeReport]:
        """Raises TranscodeError."""
        options = options_of(task, self._transcoding.options)
        staged, report = self._transcoding.make(task.version, task.parameters["ladder"], options)
        if _replaces(task) and report.sop_instance_uid != task.version.sop_instance_uid:
            staged.discard()
            raise TranscodeError(
                "something was lost: the result is another SOP instance, and takes the place of"
                " the stored one only with keep_uid"
            )
        return staged, report

    def _failed(self, task: Task, error: GatewayError) -> None:
        keep = task.parameters.get("on_failure") == "keep"
        self._metrics.errors.labels(kind=error.kind).inc()
        log.warning(
            "transcoding failed, going on with the original" if keep else "task parked",
            task=task.task_id,
            instance=task.version.instance_id,
            kind=error.kind,
            reason=str(error),
            script=task.line,
        )
        if keep:
            self._tasks.done(task).result()
        else:
            self._tasks.park(task, error).result()


def _replaces(task: Task) -> bool:
    return bool(task.parameters.get("replace", False))
