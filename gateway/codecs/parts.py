"""One image of many frames, made by several codec processes: each makes some, one joins them.

The pieces of a part are proven like all others (pieces.py), and what is put together is read back
like all others (verify.py): only who does it differs.
"""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.codecs.limits import Limits
from gateway.codecs.pieces import Pieces
from gateway.codecs.planning import Work
from gateway.codecs.quality import Difference
from gateway.codecs.recode import prepare
from gateway.codecs.source import Source, syntax_of
from gateway.codecs.spool import Spooled, spool
from gateway.codecs.transcode import Job, known, put_together, reading, report_of, work_of
from gateway.errors import CodecFailed, TranscodeUnsupported
from gateway.model import TranscodeReport

_IN_PARTS = (Work.RECODE, Work.CONVERT)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a job would be. frames: 0 when it cannot be made in parts. native_bytes: of all."""

    syntax_uid: str = ""
    frames: int = 0
    native_bytes: int = 0
    refusals: tuple[str, ...] = ()


def outline(job: Job, ladder: Sequence[str], limits: Limits) -> Outline:
    """Find the first rung that the image allows, as far as its header tells; nothing is written."""
    refusals: list[str] = []
    for uid in ladder:
        rung = replace(job, syntax=known(uid))
        try:
            return replace(_outline(rung, limits), refusals=tuple(refusals))
        except TranscodeUnsupported as refusal:
            refusals.append(f"{rung.syntax.keyword}: {refusal}")
    return Outline()


def make_part(job: Job, first: int, last: int, path: Path, limits: Limits) -> None:
    """Make the pieces of frames first to last - 1, 0-based. Raises TranscodeError."""
    with reading(job.source) as source, path.open("xb") as file:
        pieces = _prepared(source, job, limits)
        share = (last - first) / pieces.plan.source.frames
        limits.grant(round((pieces.plan.source_bytes + pieces.plan.native_bytes) * share))
        spooled = spool(pieces.of(first, last), file)
        _notes(path).write_text(
            json.dumps(
                {
                    "lengths": spooled.lengths,
                    "checksums": spooled.checksums,
                    "difference": asdict(pieces.difference),
                }
            )
        )


def join_parts(
    job: Job, parts: Sequence[Path], part_seconds: float, limits: Limits
) -> TranscodeReport:
    """Write the target from its parts, in order. part_seconds: what they took. TranscodeError."""
    started = time.perf_counter() - part_seconds
    with ExitStack() as stack:
        source = stack.enter_context(reading(job.source))
        pieces = _prepared(source, job, limits)
        limits.grant(pieces.plan.native_bytes)
        difference = Difference()
        spooled = []
        for path in parts:
            notes = json.loads(_notes(path).read_text())
            file = stack.enter_context(path.open("rb"))
            spooled.append(Spooled(file, notes["lengths"], notes["checksums"]))
            difference += Difference(**notes["difference"])
        made = put_together(pieces, spooled, difference, job, limits)
    return report_of(job, source.syntax, made, started)


def _outline(job: Job, limits: Limits) -> Outline:
    _, source_syntax = head = syntax_of(job.source)
    if source_syntax == job.syntax or source_syntax.is_deflated or job.syntax.is_deflated:
        return Outline()
    with reading(job.source, head) as source:
        if work_of(source, job) not in _IN_PARTS:
            return Outline()
        pieces = _prepared(source, job, limits)
        if pieces.overlays:  # their planes are gathered over all frames
            return Outline()
        return Outline(job.syntax.uid, pieces.plan.source.frames, pieces.plan.native_bytes)


def _prepared(source: Source, job: Job, limits: Limits) -> Pieces:
    if source.pixels is None:
        raise CodecFailed("there is no Pixel Data any more")
    return prepare(source, source.pixels, job.syntax, work_of(source, job), job.options, limits)


def _notes(part: Path) -> Path:
    """Beside a part: what is known of its pieces."""
    return part.with_name(part.name + ".json")
