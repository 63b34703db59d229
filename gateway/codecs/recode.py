"""Frame by frame through codecs: decode, encode, write; one frame in memory at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.codecs import codestreams, frames, headers, planning
from gateway.codecs.codestreams import Codestream
from gateway.codecs.frames import Fragment, Span
from gateway.codecs.image import Image, describe
from gateway.codecs.limits import Limits
from gateway.codecs.pixel_writer import write_encapsulated, write_native
from gateway.codecs.planning import Recoding
from gateway.codecs.samples import conform, from_native, within_bits_stored
from gateway.codecs.source import PixelElement, Source
from gateway.codecs.table import CODECS, Codec, Encoder, Frame, why_absent
from gateway.codecs.target import created, write_trailer
from gateway.codecs.verify import Expected, digest
from gateway.dicom.syntaxes import Family, TransferSyntax
from gateway.dicom.tags import tags
from gateway.errors import CodecFailed, TranscodeError, TranscodeUnsupported

_MARKER_BYTES = 12


@dataclass(frozen=True, slots=True)
class _Coded:
    """Encapsulated frames. first: the header of the first one, None for RLE, which has none."""

    codec: Codec
    spans: Sequence[Span]
    first: Codestream | None
    end: int


def recode(
    source: Source,
    pixels: PixelElement,
    path: Path,
    syntax: TransferSyntax,
    limits: Limits,
) -> Expected:
    """Write the image in `syntax`. Raises TranscodeError."""
    image = describe(source.header)
    coded = _find_coded(source, pixels, image) if pixels.length is None else None
    first = coded.first if coded else None
    plan = planning.recoding(
        image,
        first,
        source.header,
        syntax,
        is_native=coded is None,
        memory_bytes=limits.memory_bytes,
    )
    headers.revise(source.header, source.syntax, plan)
    limits.grant(plan.result.frame_bytes * plan.result.frames)
    decoded = _decoded(source, coded, image) if coded else _native(source, pixels, image)
    if syntax.is_encapsulated:
        decoded = (within_bits_stored(frame, plan.samples) for frame in decoded)
    end = coded.end if coded else pixels.offset + (pixels.length or 0)
    digests: list[bytes] = []
    with created(path, source, syntax) as out:
        _write_pixels(out, _digested(decoded, digests), plan, source, syntax)
        write_trailer(out, source, end, syntax)
    return Expected(syntax, tags(source.header), image=plan.result, samples=digests)


def _write_pixels(
    out: BinaryIO,
    decoded: Iterable[Frame],
    plan: Recoding,
    source: Source,
    syntax: TransferSyntax,
) -> None:
    native_bytes = plan.result.frame_bytes * plan.result.frames
    encode = CODECS[syntax.uid].encode if syntax.is_encapsulated else None
    if encode is not None:
        coded = _encoded(decoded, encode, plan.samples)
        write_encapsulated(out, plan.result.frames, native_bytes, coded)
    else:
        vr = headers.native_vr(source.header)
        parts = (frame.tobytes() for frame in decoded)
        write_native(out, vr, native_bytes, parts, implicit_vr=syntax.is_implicit_vr)


def _digested(decoded: Iterable[Frame], digests: list[bytes]) -> Iterator[Frame]:
    for frame in decoded:
        digests.append(digest(frame))
        yield frame


def _encoded(decoded: Iterable[Frame], encode: Encoder, samples: Image) -> Iterator[bytes]:
    for number, frame in enumerate(decoded, start=1):
        try:
            yield encode(frame, samples)
        except Exception as exc:
            raise CodecFailed(f"frame {number} cannot be encoded: {exc}") from exc


def _native(source: Source, pixels: PixelElement, image: Image) -> Iterator[Frame]:
    swapped = not source.syntax.is_little_endian
    for data in frames.read_native(source.file, pixels, image, swapped=swapped):
        yield from_native(data, image)


# --- encapsulated frames -------------------------------------------------------------------------


def _find_coded(source: Source, pixels: PixelElement, image: Image) -> _Coded:
    codec = CODECS.get(source.syntax.uid)
    if codec is None:
        raise TranscodeUnsupported(why_absent(source.syntax))
    items = frames.read_items(source.file, pixels.offset)

    def begins_frame(fragment: Fragment) -> bool:
        head = frames.read_fragment(source.file, fragment, _MARKER_BYTES)
        return codestreams.begins_codestream(head)

    spans = frames.spans(items, image.frames, begins_frame)
    is_rle = source.syntax.family is Family.RLE
    first = None if is_rle else codestreams.inspect(_codestream(source, spans[0]))
    return _Coded(codec, spans, first, items.end)


def _codestream(source: Source, span: Span) -> bytes:
    return codestreams.without_jp2_boxes(frames.read_span(source.file, span))


def _decoded(source: Source, coded: _Coded, image: Image) -> Iterator[Frame]:
    for number, span in enumerate(coded.spans, start=1):
        data = _codestream(source, span)
        try:
            yield _decode(data, coded, image)
        except TranscodeError:
            raise
        except Exception as exc:
            raise CodecFailed(f"frame {number} cannot be decoded: {exc}") from exc


def _decode(data: bytes, coded: _Coded, image: Image) -> Frame:
    if coded.first is None:
        return conform(coded.codec.decode(data, image), image, image.bits_allocated)
    codestream = codestreams.inspect(data)
    if reason := codestreams.mismatch(codestream, image):
        raise CodecFailed(reason)
    return conform(coded.codec.decode(data, image), image, codestream.precision)
