"""Encapsulated frames: where they are, what their headers say, and their samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from gateway.codecs import codestreams, frames, jpegxl_header
from gateway.codecs.codestreams import Codestream
from gateway.codecs.frames import Fragment, Span
from gateway.codecs.image import Frame, Image
from gateway.codecs.samples import conform
from gateway.codecs.table import CODECS, UNWRAP, Codec, why_absent
from gateway.dicom.syntaxes import Family, TransferSyntax
from gateway.errors import CodecFailed, TranscodeError, TranscodeUnsupported

_MARKER_BYTES = 12


@dataclass(frozen=True, slots=True)
class Coded:
    """The frames of one Pixel Data element. first: the header of the first, None for RLE, which has
    none. end: where the element ends in the file.
    """

    file: BinaryIO
    syntax: TransferSyntax
    image: Image
    codec: Codec
    spans: Sequence[Span]
    first: Codestream | None
    end: int

    @property
    def coded_bytes(self) -> int:
        """Size of all codestreams, with their padding."""
        return sum(fragment.length for span in self.spans for fragment in span)

    def codestream(self, index: int) -> bytes:
        """The codestream of a frame, 0-based, as its codec takes it. Raises CodecFailed."""
        return _codestream(self.file, self.syntax, self.spans[index], self.image)

    def samples(self, index: int) -> Frame:
        """The samples of a frame in the data set's type. Raises CodecFailed."""
        try:
            return decode(self.codestream(index), self.codec, self.syntax, self.image)
        except TranscodeError:
            raise
        except Exception as exc:
            raise CodecFailed(f"it cannot be decoded: {exc}") from exc


def find(file: BinaryIO, offset: int, syntax: TransferSyntax, image: Image) -> Coded:
    """The frames of Pixel Data whose value begins at `offset`.

    Raises TranscodeUnsupported (nothing here decodes the syntax), CodecFailed.
    """
    codec = CODECS.get(syntax.uid)
    if codec is None:
        raise TranscodeUnsupported(f"{syntax.keyword} is passed on as it is: {why_absent(syntax)}")
    items = frames.read_items(file, offset)

    def begins_frame(fragment: Fragment) -> bool:
        head = frames.read_fragment(file, fragment, _MARKER_BYTES)
        return codestreams.begins_codestream(head)

    spans = frames.spans(items, image.frames, begins_frame)
    first = None
    if syntax.family is not Family.RLE:
        first = codestreams.inspect(_codestream(file, syntax, spans[0], image))
    return Coded(file, syntax, image, codec, spans, first, items.end)


def decode(data: bytes, codec: Codec, syntax: TransferSyntax, image: Image) -> Frame:
    """Check the codestream's header against the image, then decode. Raises anything."""
    if syntax.family is Family.RLE:
        return conform(codec.decode(data, image), image, image.bits_allocated)
    header = codestreams.inspect(data)
    if reason := codestreams.mismatch(header, image):
        raise CodecFailed(reason)
    return conform(codec.decode(data, image), image, header.precision)


def _codestream(file: BinaryIO, syntax: TransferSyntax, span: Span, image: Image) -> bytes:
    data = codestreams.without_jp2_boxes(frames.read_span(file, span))
    unwrap = UNWRAP.get(syntax.uid)
    if unwrap is None:
        return data
    # A few bytes can wrap an image that takes gigabytes, and are unwrapped before all other checks.
    size = jpegxl_header.read_size(data)
    if size != (image.rows, image.columns):
        raise CodecFailed(
            "the codestream has {}x{} pixels, the data set describes {}x{}".format(
                *size, image.rows, image.columns
            )
        )
    try:
        return unwrap(data)
    except Exception as exc:
        raise CodecFailed(f"a frame cannot be unwrapped from {syntax.keyword}: {exc}") from exc
