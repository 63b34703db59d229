"""One image from one form to another: prepare it, make its pieces, put them into a file."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from gateway.codecs import coded, derivation, headers, nested, overlays, planning, profiles
from gateway.codecs.derivation import LossyStep
from gateway.codecs.frames import refuse_other_length
from gateway.codecs.image import describe
from gateway.codecs.limits import Limits
from gateway.codecs.pieces import Pieces
from gateway.codecs.pixel_writer import (
    frame_offsets,
    has_basic_offset_table,
    write_encapsulated,
    write_native,
)
from gateway.codecs.planning import Work
from gateway.codecs.quality import Difference
from gateway.codecs.source import PixelElement, Source
from gateway.codecs.spool import Spooled
from gateway.codecs.table import CODESTREAM_CONVERTERS
from gateway.codecs.target import created, write_trailer
from gateway.codecs.verify import Expected
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import QualityTooLow
from gateway.model import TranscodeOptions


def prepare(
    source: Source,
    pixels: PixelElement,
    target: TransferSyntax,
    work: Work,
    options: TranscodeOptions,
    limits: Limits,
) -> Pieces:
    """Everything that is known before the first frame. Raises TranscodeError."""
    image = describe(source.header)
    planning.refuse_too_large(image, limits.memory_bytes)
    found = None
    if pixels.length is None:
        found = coded.find(source.file, pixels.offset, source.syntax, image)
    if work is Work.CONVERT:
        plan = planning.conversion(image, target)
        convert = CODESTREAM_CONVERTERS[source.syntax.uid, target.uid]
        return Pieces(source, pixels, found, plan, options, convert)
    first = found.first if found else None
    plan = planning.recoding(image, first, target, options, is_native=found is None)
    if found is None:
        refuse_other_length(pixels, image)
    keeps_all = profiles.keeps_unused_bits(target)
    embedded = () if keeps_all else overlays.find(source.header, image)
    return Pieces(source, pixels, found, plan, options, overlays=embedded)


def assemble(
    pieces: Pieces,
    spooled: Sequence[Spooled],
    difference: Difference,
    path: Path,
    limits: Limits,
) -> tuple[Expected, str]:
    """Write the file around the pieces of all frames.

    Answers what has to be found in it, and its SOP Instance UID. Raises QualityTooLow,
    TranscodeError.
    """
    _refuse_poor_quality(pieces, difference)
    source, plan = pieces.source, pieces.plan
    lengths = [length for part in spooled for length in part.lengths]
    nested.make_native(source.header, source.syntax, limits)
    uid = _revise_header(pieces, lengths)
    with created(path, source, plan.target, uid) as out:
        _write_pixels(out, pieces, lengths, _pieces(spooled))
        end = pieces.coded.end if pieces.coded else pieces.pixels.end
        write_trailer(out, source, end, plan.target, is_derived=plan.loses)
    expected = Expected(
        plan.target,
        tags(source.header, also_named=False),
        _pieces(spooled),
        value_bytes=sum(lengths),
        frames=len(lengths) if plan.target.is_encapsulated else 0,
    )
    return expected, uid


def _pieces(spooled: Sequence[Spooled]) -> Iterator[bytes]:
    return chain.from_iterable(part.pieces() for part in spooled)


def _refuse_poor_quality(pieces: Pieces, difference: Difference) -> None:
    floor, psnr_db = pieces.options.minimum_psnr_db, difference.psnr_db(pieces.plan.samples)
    if pieces.plan.loses and floor is not None and psnr_db is not None and psnr_db < floor:
        raise QualityTooLow(
            f"{pieces.plan.target.keyword} reaches a PSNR of {psnr_db:.1f} dB only, {floor:g} dB"
            " are asked for"
        )


def _revise_header(pieces: Pieces, lengths: Sequence[int]) -> str:
    """Let the data set describe the pixels as they are now; answer its SOP Instance UID."""
    header, plan = pieces.source.header, pieces.plan
    headers.revise(header)
    headers.describe(header, plan.source, plan.result)
    overlays.put(header, pieces.overlays, plan.source)
    if plan.target.is_encapsulated and len(lengths) > 1 and not has_basic_offset_table(lengths):
        headers.put_extended_offsets(header, frame_offsets(lengths), lengths)
    if plan.was_lossy and pieces.coded:
        ratio = plan.source_bytes / pieces.coded.coded_bytes
        derivation.remember(header, LossyStep(pieces.source.syntax, ratio))
    meta = pieces.source.meta
    if not plan.loses:
        return meta.sop_instance_uid
    step = LossyStep(plan.target, plan.native_bytes / sum(lengths))
    return derivation.derive(header, meta, plan, step, pieces.options)


def _write_pixels(
    out: BinaryIO, pieces: Pieces, lengths: Sequence[int], values: Iterator[bytes]
) -> None:
    syntax = pieces.plan.target
    if syntax.is_encapsulated:
        write_encapsulated(out, lengths, values)
    else:
        vr = headers.native_vr(pieces.source.header)
        write_native(out, vr, sum(lengths), values, implicit_vr=syntax.is_implicit_vr)
