"""Taking a file of an instance from one transfer syntax to another, for tasks and for requests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.dicom import syntaxes
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import TranscodeOptions, TranscodeReport
from gateway.ports import Codecs
from gateway.store.files import DERIVED, FileStorage, StagedFile

log = logger("transcode")


class Transcoding:
    """options: how, where nobody says it otherwise."""

    def __init__(
        self, storage: FileStorage, codecs: Codecs, options: TranscodeOptions, metrics: Metrics
    ) -> None:
        self.options = options
        self._storage = storage
        self._codecs = codecs
        self._metrics = metrics

    def make(
        self, source: Path, instance_id: str, ladder: Sequence[str], options: TranscodeOptions
    ) -> tuple[StagedFile, TranscodeReport]:
        """A staged, synced file in the first syntax of the ladder that the image allows.

        instance_id: "" when the source is none of ours. Raises TranscodeError.
        """
        staged = self._storage.stage(DERIVED, made_from=instance_id)
        try:
            report = self._codecs.transcode(source, staged.path, ladder, options)
        except BaseException:
            staged.discard()
            raise
        self._tell(instance_id, report)
        return staged, report

    def _tell(self, instance_id: str, report: TranscodeReport) -> None:
        made = syntaxes.label(report.target_syntax_uid)
        self._metrics.codec_seconds.labels(syntax=made).inc(report.codec_seconds)
        if report.lossy:
            self._metrics.lossy.labels(syntax=made).inc()
        log.info(
            "instance transcoded",
            instance=instance_id,
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
