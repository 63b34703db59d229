"""Transcode one file to one file: read the header, plan, then frame by frame, then read it back.

This runs in a codec process (worker.py), and may be killed at any time: nothing counts until it
has returned. An image of many frames may be made in parts, by several processes (parts.py).
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from gateway.codecs import profiles, repack
from gateway.codecs.deflate import deflate, inflate
from gateway.codecs.limits import Limits
from gateway.codecs.pieces import Pieces
from gateway.codecs.planning import Abilities, Work, work_for
from gateway.codecs.quality import Difference
from gateway.codecs.recode import assemble, prepare
from gateway.codecs.source import Head, PixelElement, Source, opened, strict_reading, syntax_of
from gateway.codecs.spool import Spooled, spool
from gateway.codecs.table import CODECS, CODESTREAM_CONVERTERS
from gateway.codecs.verify import PYDICOM, verify
from gateway.dicom import syntaxes
from gateway.dicom.part10 import FileMeta
from gateway.dicom.syntaxes import EXPLICIT_LE, TransferSyntax, UnknownTransferSyntax
from gateway.errors import CodecFailed, InstanceUnreadable, QualityTooLow, TranscodeUnsupported
from gateway.model import TranscodeOptions, TranscodeReport

_ZLIB = "zlib"
_SPOOLED_IN_MEMORY_BYTES = 16 << 20
# The share of what a codec process may use that a deflated data set may inflate to, on disk.
_INFLATED_SHARE = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One file to be made.

    scratch: a folder for what is on its way. It is made by whoever needs it first, as most do not;
    the caller removes it.
    """

    source: Path
    target: Path
    syntax: TransferSyntax
    options: TranscodeOptions
    scratch: Path

    def on_its_way(self, name: str) -> Path:
        """Where a file can be put that is not the target."""
        self.scratch.mkdir(exist_ok=True)
        return self.scratch / name


@dataclass(frozen=True, slots=True)
class Made:
    """What was written, and what it was made of."""

    sop_instance_uid: str
    pieces: Pieces | None = None
    difference: Difference = field(default_factory=Difference)


def transcode(job: Job, ladder: Sequence[str], limits: Limits) -> TranscodeReport:
    """Write job.source to a new file job.target, synced to the device.

    ladder: transfer syntax UIDs, best first; the first that the image allows is made. Raises
    TranscodeError; what is at the target then is worthless, and the caller's to remove.
    """
    refusals: list[str] = []
    for uid in ladder:
        rung = replace(job, syntax=known(uid))
        try:
            report = _transcode_well_enough(rung, limits)
        except TranscodeUnsupported as refusal:
            if len(ladder) == 1:
                raise
            refusals.append(f"{rung.syntax.keyword}: {refusal}")
            job.target.unlink(missing_ok=True)
        else:
            return replace(report, refusals=(*refusals, *report.refusals))
    raise TranscodeUnsupported("; ".join(refusals))


def _transcode_well_enough(job: Job, limits: Limits) -> TranscodeReport:
    """As asked, or without loss when the loss would be more than was allowed."""
    try:
        return _transcode(job, limits)
    except QualityTooLow as too_low:
        instead = syntaxes.lookup(profiles.lossless_instead(job.syntax.uid))
        options = replace(job.options, quality=None, ratio=None, max_error=None, photometric="")
        report = _transcode(replace(job, syntax=instead, options=options), limits)
        return replace(report, refusals=(str(too_low),))


def _transcode(job: Job, limits: Limits) -> TranscodeReport:
    started = time.perf_counter()
    meta, source_syntax = head = syntax_of(job.source)
    if source_syntax == job.syntax:
        return copied(job, meta, source_syntax, started)
    if source_syntax.is_deflated:
        made = _make(replace(job, source=_inflated(job, meta, limits)), limits)
    elif job.syntax.is_deflated:
        made = _make_deflated(job, limits, head)
    else:
        made = _make(job, limits, head)
    if made is None:
        return copied(job, meta, source_syntax, started)
    return report_of(job, source_syntax, made, started)


def _inflated(job: Job, meta: FileMeta, limits: Limits) -> Path:
    """The source in Explicit VR Little Endian: made once for all rungs of a ladder."""
    path = job.on_its_way("inflated")
    if not path.exists():
        inflate(job.source, meta, path, maximum_bytes=limits.memory_bytes // _INFLATED_SHARE)
    return path


def _make_deflated(job: Job, limits: Limits, head: Head) -> Made | None:
    """By way of a file in Explicit VR Little Endian, which the source may be already."""
    plain = replace(job, target=job.on_its_way("plain"), syntax=EXPLICIT_LE)
    made = _make(plain, limits, head)
    if made is not None:
        deflate(plain.target, job.target, job.syntax.uid, verify=job.options.verify)
    return made


def _make(job: Job, limits: Limits, head: Head | None = None) -> Made | None:
    """Write and verify the target; None when it is to be a copy of the source."""
    with reading(job.source, head) as source:
        return _written(source, job, limits)


@contextmanager
def reading(path: Path, head: Head | None = None) -> Iterator[Source]:
    """Open a file that is not deflated, as opened() does. CodecFailed, TranscodeUnsupported."""
    try:
        with strict_reading(), opened(path, head) as source:
            yield source
    except InstanceUnreadable as exc:
        raise CodecFailed(str(exc)) from exc


def work_of(source: Source, job: Job) -> Work:
    """What the job takes. Raises TranscodeUnsupported."""
    pair = (source.syntax.uid, job.syntax.uid)
    codec = CODECS.get(job.syntax.uid)
    able = Abilities(
        encodes=codec is not None and codec.encode is not None,
        converts=pair in CODESTREAM_CONVERTERS,
    )
    return work_for(source.syntax, job.syntax, source.header, source.pixels, job.options, able)


def _written(source: Source, job: Job, limits: Limits) -> Made | None:
    work = work_of(source, job)
    if work is Work.NONE:
        return None
    if source.pixels is None:
        expected = repack.encode_header(source, job.target, job.syntax, limits)
    elif work is Work.REPACK:
        expected = repack.repack(source, source.pixels, job.target, job.syntax, limits)
    elif work is Work.RELABEL:
        expected = repack.relabel(source, source.pixels, job.target, job.syntax)
    else:
        return _recoded(source, source.pixels, work, job, limits)
    if job.options.verify:
        verify(job.target, expected)
    return Made(source.meta.sop_instance_uid)


def _recoded(source: Source, pixels: PixelElement, work: Work, job: Job, limits: Limits) -> Made:
    pieces = prepare(source, pixels, job.syntax, work, job.options, limits)
    limits.grant(pieces.plan.source_bytes + pieces.plan.native_bytes)
    # On disk it has no name, and is gone with this process.
    with SpooledTemporaryFile(_SPOOLED_IN_MEMORY_BYTES, dir=str(job.target.parent)) as file:
        spooled = spool(pieces.of(0, pieces.plan.source.frames), cast(BinaryIO, file))
        return put_together(pieces, [spooled], pieces.difference, job, limits)


def put_together(
    pieces: Pieces,
    spooled: Sequence[Spooled],
    difference: Difference,
    job: Job,
    limits: Limits,
) -> Made:
    """Write the target around its pieces, and verify it. Raises QualityTooLow, TranscodeError."""
    expected, uid = assemble(pieces, spooled, difference, job.target, limits)
    if job.options.verify:
        verify(job.target, expected)
    return Made(uid, pieces, difference)


def known(uid: str) -> TransferSyntax:
    """The transfer syntax with this UID. Raises TranscodeUnsupported."""
    try:
        return syntaxes.lookup(uid)
    except UnknownTransferSyntax as exc:
        raise TranscodeUnsupported(str(exc)) from exc


def copied(job: Job, meta: FileMeta, syntax: TransferSyntax, started: float) -> TranscodeReport:
    """Copy the source byte for byte; the report says so."""
    shutil.copyfile(job.source, job.target)
    with job.target.open("rb") as copy:
        os.fsync(copy.fileno())
    return TranscodeReport(
        source_syntax_uid=syntax.uid,
        target_syntax_uid=syntax.uid,
        sop_instance_uid=meta.sop_instance_uid,
        source_bytes=job.source.stat().st_size,
        target_bytes=job.target.stat().st_size,
        codec_seconds=time.perf_counter() - started,
        verified_by="",
        changed=False,
    )


def report_of(
    job: Job, source_syntax: TransferSyntax, made: Made, started: float
) -> TranscodeReport:
    """What was done."""
    plan = made.pieces.plan if made.pieces else None
    measured = made.difference if made.difference.samples else None
    return TranscodeReport(
        source_syntax_uid=source_syntax.uid,
        target_syntax_uid=job.syntax.uid,
        sop_instance_uid=made.sop_instance_uid,
        source_bytes=job.source.stat().st_size,
        target_bytes=job.target.stat().st_size,
        codec_seconds=time.perf_counter() - started,
        verified_by=_verified_by(job, made),
        changed=True,
        lossy=plan is not None and plan.loses,
        psnr_db=measured.psnr_db(plan.samples) if measured and plan else None,
        max_error=measured.max_error if measured else None,
        frames=plan.source.frames if plan else 0,
        native_bytes=plan.native_bytes if plan else 0,
    )


def _verified_by(job: Job, made: Made) -> str:
    if not job.options.verify:
        return ""
    if job.syntax.is_deflated:
        return _ZLIB
    is_lossy = made.pieces is not None and made.pieces.plan.loses
    checked_by = made.pieces.checked_by if made.pieces else ""
    return checked_by or ("" if is_lossy else PYDICOM)
