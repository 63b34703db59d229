"""Without a codec: native to native, codestreams that fit as they are, data sets without pixels."""

from collections.abc import Iterator
from pathlib import Path

from gateway.codecs import headers, nested
from gateway.codecs.frames import read_items, read_value
from gateway.codecs.limits import Limits
from gateway.codecs.pixel_writer import write_native, write_relabelled
from gateway.codecs.source import PixelElement, Source
from gateway.codecs.target import created, write_trailer
from gateway.codecs.verify import Expected
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags

_CHUNK_BYTES = 1 << 20  # even: words are not torn apart


def encode_header(source: Source, path: Path, syntax: TransferSyntax, limits: Limits) -> Expected:
    """Write a data set that has no Pixel Data of its own."""
    nested.make_native(source.header, source.syntax, limits)
    headers.revise(source.header)
    with created(path, source, syntax):
        return Expected(syntax, tags(source.header, also_named=False))


def repack(
    source: Source, pixels: PixelElement, path: Path, syntax: TransferSyntax, limits: Limits
) -> Expected:
    """Write native Pixel Data as it is, in the byte order of the target."""
    nested.make_native(source.header, source.syntax, limits)
    headers.revise(source.header)
    length = pixels.length or 0
    vr = headers.native_vr(source.header, None if source.implicit_vr else pixels.vr)
    with created(path, source, syntax) as out:
        parts = _parts(source, pixels, length)
        write_native(out, vr, length, parts, implicit_vr=syntax.is_implicit_vr)
        write_trailer(out, source, pixels.offset + length, syntax)
    return _expected(source, pixels, length, syntax)


def relabel(source: Source, pixels: PixelElement, path: Path, syntax: TransferSyntax) -> Expected:
    """Write encapsulated Pixel Data as it is. Tables of its fragments stay true."""
    end = read_items(source.file, pixels.offset).end
    length = end - pixels.offset
    with created(path, source, syntax) as out:
        write_relabelled(out, _parts(source, pixels, length))
        write_trailer(out, source, end, syntax)
    return _expected(source, pixels, length, syntax)


def _parts(source: Source, pixels: PixelElement, length: int) -> Iterator[bytes]:
    swapped = not source.syntax.is_little_endian
    for start in range(0, length, _CHUNK_BYTES):
        size = min(_CHUNK_BYTES, length - start)
        yield read_value(source.file, pixels, start, size, swapped=swapped)


def _expected(
    source: Source, pixels: PixelElement, length: int, syntax: TransferSyntax
) -> Expected:
    """The same bytes, read once more from the source, and nothing but them."""
    return Expected(
        syntax,
        tags(source.header, also_named=False),
        value=_parts(source, pixels, length),
        value_bytes=length,
    )
