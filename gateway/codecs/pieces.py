"""Frame by frame through codecs: each becomes one piece of the new Pixel Data.

A lossless piece is decoded again, by another library, before it is handed on, and a near-lossless
one is held to its bound: nothing unproven reaches a file.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydicom.pixels.processing import convert_color_space

from gateway.codecs import codestreams, overlays
from gateway.codecs.coded import Coded
from gateway.codecs.frames import read_native_frame
from gateway.codecs.image import Frame, Image
from gateway.codecs.overlays import EmbeddedOverlay
from gateway.codecs.planning import Recoding
from gateway.codecs.profiles import keeps_unused_bits
from gateway.codecs.quality import Difference, difference
from gateway.codecs.samples import (
    conform,
    for_encoder,
    from_native,
    refuse_next_to_sign,
    within_bits_stored,
)
from gateway.codecs.source import PixelElement, Source
from gateway.codecs.table import CODECS, Decoder
from gateway.dicom.syntaxes import Family
from gateway.errors import CodecFailed, TranscodeError, VerificationFailed
from gateway.model import TranscodeOptions

_NEAR_LOSSLESS = "1.2.840.10008.1.2.4.81"


@dataclass(slots=True)
class Pieces:
    """The frames of one image on their way. Sums up what it met: overlays and differences."""

    source: Source
    pixels: PixelElement
    coded: Coded | None
    plan: Recoding
    options: TranscodeOptions
    convert: Callable[[bytes], bytes] | None = None
    overlays: Sequence[EmbeddedOverlay] = ()
    difference: Difference = field(default_factory=Difference)

    def of(self, first: int, last: int) -> Iterator[bytes]:
        """The pieces of frames first to last - 1, 0-based. Raises TranscodeError."""
        for index in range(first, last):
            try:
                yield self._piece(index)
            except TranscodeError as error:
                raise type(error)(f"frame {index + 1}: {error}") from error

    @property
    def checked_by(self) -> str:
        """The library that reads coded pieces back; "" when none does."""
        codec = CODECS.get(self.plan.target.uid)
        if not self.options.verify or codec is None or self.convert:
            return ""
        is_bounded = self.plan.target.uid == _NEAR_LOSSLESS
        return codec.checked_by if is_bounded or not self.plan.loses else ""

    def _piece(self, index: int) -> bytes:
        if self.convert and self.coded:
            return self._converted(self.coded.codestream(index))
        frame = self._samples(index)
        if not self.plan.target.is_encapsulated:
            return frame.tobytes()
        piece = self._encoded(frame)
        self._prove(piece, frame)
        return piece

    def _converted(self, codestream: bytes) -> bytes:
        assert self.convert is not None
        if reason := codestreams.mismatch(codestreams.inspect(codestream), self.plan.source):
            raise CodecFailed(reason)
        try:
            return self.convert(codestream)
        except Exception as exc:
            raise CodecFailed(f"the codestream cannot be converted: {exc}") from exc

    def _samples(self, index: int) -> Frame:
        """As the encoder, or native Pixel Data, takes them."""
        image = self.plan.source
        if self.coded:
            frame = self.coded.samples(index)
        else:
            data = read_native_frame(self.source, self.pixels, image, index)
            frame = from_native(data, image)
        if self.overlays:
            frame = overlays.take_out(frame, self.overlays)
        if not keeps_unused_bits(self.plan.target):
            clear = self.options.unused_bits == "clear"
            frame = within_bits_stored(frame, image, clear=clear)
        if self.plan.loses and self.plan.target.uid == _NEAR_LOSSLESS:
            refuse_next_to_sign(frame, image, self.options.max_error or 0)
        return to_rgb(frame) if self.plan.to_rgb else frame

    def _encoded(self, frame: Frame) -> bytes:
        encode = CODECS[self.plan.target.uid].encode
        assert encode is not None, "planning refuses targets without an encoder"
        if not keeps_unused_bits(self.plan.target):
            frame = for_encoder(frame, self.plan.samples)
        try:
            return encode(frame, self.plan)
        except Exception as exc:
            raise CodecFailed(f"it cannot be encoded: {exc}") from exc

    # --- proof -----------------------------------------------------------------------------------

    def _prove(self, piece: bytes, frame: Frame) -> None:
        if self.plan.loses:
            self._measure(piece, frame)
        elif self.options.verify:
            found = self._read_back(piece, self.plan.samples)
            if not np.array_equal(found, frame):
                raise VerificationFailed(f"{self.checked_by} read other samples back")

    def _measure(self, piece: bytes, frame: Frame) -> None:
        bound = self.options.max_error if self.checked_by else None
        wanted = self.options.measure or self.options.minimum_psnr_db is not None
        if bound is None and not wanted:
            return
        found = self._read_back(piece, self.plan.result)
        if self.plan.samples.photometric == "RGB" and self.plan.target.family is Family.JPEG:
            found = to_rgb(found) if self.plan.result.photometric != "RGB" else found
        here = difference(found, frame)
        if bound is not None and here.max_error > bound:
            raise VerificationFailed(
                f"{self.checked_by} read samples back that differ by {here.max_error},"
                f" not {bound} at most"
            )
        self.difference += here

    def _read_back(self, piece: bytes, image: Image) -> Frame:
        target = self.plan.target
        codec = CODECS[target.uid]
        reader: Decoder | None = codec.check or (codec.decode if self.plan.loses else None)
        if reader is None:
            raise VerificationFailed(f"no other library here decodes {target.keyword}")
        try:
            if target.family is Family.RLE:
                return conform(reader(piece, image), image, image.bits_allocated)
            header = codestreams.inspect(piece)
            return conform(reader(piece, image), image, header.precision)
        except Exception as exc:
            raise VerificationFailed(f"the result cannot be read back: {exc}") from exc


def to_rgb(frame: Frame) -> Frame:
    """From YBR_FULL of 8 bits, rounded (PS3.3 C.7.6.3.1.2)."""
    return np.ascontiguousarray(convert_color_space(frame, "YBR_FULL", "RGB"))
