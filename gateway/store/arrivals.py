"""Transcoding what arrives, before it is kept: what Orthanc calls ingest transcoding."""

from dataclasses import dataclass

from gateway.config.models import Arrivals
from gateway.dicom import part10, syntaxes
from gateway.dicom.syntaxes import Family
from gateway.errors import TranscodeError
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Summary, TranscodeOptions, TranscodeReport
from gateway.ports import Codecs
from gateway.store.files import RECEIVED, FileStorage, StagedFile

log = logger("store")


@dataclass(frozen=True, slots=True)
class Transcoded:
    """What is kept instead of what came: a staged, synced file, and what it is."""

    staged: StagedFile
    summary: Summary
    transfer_syntax_uid: str
    size_bytes: int


class ArrivalTranscoding:
    """Transcodes arrivals as `[store.transcode]` says. Thread-safe."""

    def __init__(
        self,
        storage: FileStorage,
        codecs: Codecs,
        settings: Arrivals,
        options: TranscodeOptions,
        metrics: Metrics,
    ) -> None:
        self._storage = storage
        self._codecs = codecs
        self._settings = settings
        self._options = options
        self._metrics = metrics

    def make(
        self, received: StagedFile, summary: Summary, syntax_uid: str, content_sha256: str
    ) -> Transcoded | None:
        """What is to be kept instead; None when it is to be kept as it came.

        content_sha256: of the data set as it came. It is part of the result's key, so that recovery
        knows a repeated sending even when a crash takes the row. Raises InstanceUnreadable,
        StoreError.
        """
        if not self._is_wanted(syntax_uid):
            return None
        staged = self._storage.stage(RECEIVED, made_from=content_sha256)
        try:
            report = self._transcode(received, staged, summary)
            if report is None or not report.changed:
                staged.discard()
                return None
            return Transcoded(
                staged,
                _summary(staged, summary, report),
                report.target_syntax_uid,
                report.target_bytes,
            )
        except BaseException:
            staged.discard()
            raise

    def _is_wanted(self, syntax_uid: str) -> bool:
        if self._settings.to is None or syntaxes.lookup(self._settings.to).uid == syntax_uid:
            return False
        if syntaxes.by_uid(syntax_uid).family is Family.NATIVE:
            return self._settings.uncompressed
        return self._settings.compressed

    def _transcode(
        self, received: StagedFile, staged: StagedFile, summary: Summary
    ) -> TranscodeReport | None:
        """None when the image does not allow it, or its codec fails: it is kept all the same."""
        target = syntaxes.lookup(self._settings.to or "")
        try:
            report = self._codecs.transcode(received.path, staged.path, [target.uid], self._options)
        except TranscodeError as exc:
            self._metrics.errors.labels(exc.kind).inc()
            log.warning(
                "instance is kept as it came",
                instance=summary.identifiers.instance_id,
                wanted=target.keyword,
                kind=exc.kind,
                reason=str(exc),
            )
            return None
        self._metrics.codec_seconds.labels(syntax=target.keyword).inc(report.codec_seconds)
        if report.lossy:
            self._metrics.lossy.labels(syntax=target.keyword).inc()
        return report


def _summary(staged: StagedFile, summary: Summary, report: TranscodeReport) -> Summary:
    """Of the result: one that lost something is another instance."""
    if report.sop_instance_uid == summary.identifiers.sop_instance_uid:
        return summary
    meta = part10.read_meta(staged.path)
    with staged.path.open("rb") as file:
        file.seek(meta.data_set_offset)
        return part10.read_summary(
            file,
            sop_class_uid=meta.sop_class_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
        )
