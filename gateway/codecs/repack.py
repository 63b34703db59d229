"""Native to native, and data sets without pixels: no codec, at most another byte order."""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from gateway.codecs import frames, headers
from gateway.codecs.pixel_writer import write_native
from gateway.codecs.source import PixelElement, Source
from gateway.codecs.target import created, write_trailer
from gateway.codecs.verify import Expected
from gateway.dicom.syntaxes import TransferSyntax
from gateway.dicom.tags import tags

_CHUNK_BYTES = 1 << 20  # even: words are not torn apart


def encode_header(source: Source, path: Path, syntax: TransferSyntax) -> Expected:
    """Write a data set that has no Pixel Data."""
    headers.revise(source.header, source.syntax, None)
    with created(path, source, syntax):
        return Expected(syntax, tags(source.header))


def repack(source: Source, pixels: PixelElement, path: Path, syntax: TransferSyntax) -> Expected:
    """Write native Pixel Data as it is, in the byte order of the target."""
    headers.revise(source.header, source.syntax, None)
    length = pixels.length or 0
    summary = blake2b()

    def parts() -> Iterator[bytes]:
        swapped = not source.syntax.is_little_endian
        for start in range(0, length, _CHUNK_BYTES):
            size = min(_CHUNK_BYTES, length - start)
            part = frames.read_value(source.file, pixels, start, size, swapped=swapped)
            summary.update(part)
            yield part

    vr = headers.native_vr(source.header, None if source.implicit_vr else pixels.vr)
    with created(path, source, syntax) as out:
        write_native(out, vr, length, parts(), implicit_vr=syntax.is_implicit_vr)
        write_trailer(out, source, pixels.offset + length, syntax)
    summary.update(b"\0" * (length % 2))
    return Expected(syntax, tags(source.header), value=summary.digest())
