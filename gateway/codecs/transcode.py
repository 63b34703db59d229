"""Transcode one file to one file: read the header, plan, then frame by frame, then read it back.

This runs in a codec process (worker.py), and may be killed at any time: nothing counts until it
has returned.
"""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gateway.codecs.limits import Limits
from gateway.codecs.planning import Work, work_for
from gateway.codecs.recode import recode
from gateway.codecs.repack import encode_header, repack
from gateway.codecs.source import Source, opened, strict_reading, syntax_of
from gateway.codecs.table import CODECS
from gateway.codecs.verify import Expected, verify
from gateway.dicom import syntaxes
from gateway.dicom.syntaxes import TransferSyntax, UnknownTransferSyntax
from gateway.errors import CodecFailed, InstanceUnreadable, TranscodeUnsupported
from gateway.model import TranscodeOptions, TranscodeReport


def transcode(
    source_path: Path,
    target_path: Path,
    ladder: Sequence[str],
    options: TranscodeOptions,
    limits: Limits,
) -> TranscodeReport:
    """Write `source_path` to a new file `target_path`, synced to the device.

    ladder: transfer syntax UIDs, best first; the first that the image allows is made. Raises
    TranscodeError; what is at `target_path` then is worthless, and the caller's to remove.
    """
    refusals: list[str] = []
    for uid in ladder:
        try:
            report = _transcode(source_path, target_path, uid, options, limits)
        except TranscodeUnsupported as refusal:
            if len(ladder) == 1:
                raise
            refusals.append(f"{syntaxes.label(uid)}: {refusal}")
            target_path.unlink(missing_ok=True)
        else:
            return replace(report, refusals=tuple(refusals))
    raise TranscodeUnsupported("; ".join(refusals))


def _transcode(
    source_path: Path,
    target_path: Path,
    target_syntax_uid: str,
    options: TranscodeOptions,
    limits: Limits,
) -> TranscodeReport:
    started = time.perf_counter()
    meta, source = syntax_of(source_path)
    target = _known(target_syntax_uid)
    verified_by = ""
    if source == target:
        _copy(source_path, target_path)
    else:
        expected = _convert(source_path, target_path, target, limits)
        verified_by = verify(target_path, expected) if options.verify else ""
    return TranscodeReport(
        source_syntax_uid=source.uid,
        target_syntax_uid=target.uid,
        sop_instance_uid=meta.sop_instance_uid,
        source_bytes=source_path.stat().st_size,
        target_bytes=target_path.stat().st_size,
        codec_seconds=time.perf_counter() - started,
        verified_by=verified_by,
        changed=source != target,
    )


def _known(uid: str) -> TransferSyntax:
    try:
        return syntaxes.lookup(uid)
    except UnknownTransferSyntax as exc:
        raise TranscodeUnsupported(str(exc)) from exc


def _copy(source_path: Path, target_path: Path) -> None:
    shutil.copyfile(source_path, target_path)
    with target_path.open("rb") as copy:
        os.fsync(copy.fileno())


def _convert(
    source_path: Path, target_path: Path, target: TransferSyntax, limits: Limits
) -> Expected:
    """Write the target; answer what has to be found in it."""
    try:
        with (
            strict_reading(),
            opened(source_path, maximum_inflated_bytes=limits.memory_bytes // 4) as source,
        ):
            return _write(source, target_path, target, limits)
    except InstanceUnreadable as exc:
        raise CodecFailed(str(exc)) from exc


def _write(source: Source, path: Path, target: TransferSyntax, limits: Limits) -> Expected:
    codec = CODECS.get(target.uid)
    encodable = codec is not None and codec.encode is not None
    pixels = source.pixels
    work = work_for(source.syntax, target, source.header, pixels, encodable=encodable)
    if pixels is None:
        return encode_header(source, path, target)
    if work is Work.REPACK:
        return repack(source, pixels, path, target)
    return recode(source, pixels, path, target, limits)
