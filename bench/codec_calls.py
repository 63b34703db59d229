"""The bare calls of codecs that a transcoding cannot do without: what the pipeline is held to."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from codec_routes import Image, Route
from zlib_ng import zlib_ng

from gateway.codecs.limits import Limits
from gateway.codecs.pieces import Pieces
from gateway.codecs.recode import prepare
from gateway.codecs.table import CODECS
from gateway.codecs.transcode import Job, reading, work_of

_MEMORY_BYTES = 4 << 30
_DEFLATE_LEVEL, _RAW = 6, -zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Calls:
    """What one image takes, piece by piece, all in memory: decode its source, encode, check.

    They are the functions of gateway.codecs.families, which hand libraries their arguments and do
    no more. decode_result: what a receiver does. None: there is no such call.
    """

    pieces: int
    decode_source: Callable[[int], object] | None = None
    encode: Callable[[int], bytes] | None = None
    check: Callable[[bytes], object] | None = None
    decode_result: Callable[[bytes], object] | None = None

    def __bool__(self) -> bool:
        return bool(self.decode_source or self.encode)

    def run(self, *, verify: bool, pieces: int | None = None) -> None:
        """All calls for all pieces, or for so many, one piece after the other, round and round."""
        for number in range(self.pieces if pieces is None else pieces):
            index = number % self.pieces
            if self.decode_source:
                self.decode_source(index)
            coded = self.encode(index) if self.encode else b""
            if verify and self.check:
                self.check(coded)


def calls_of(route: Route, image: Image) -> Calls:
    """The calls for this image."""
    if route.target.is_deflated:
        return _deflating(b"".join(frame.tobytes() for frame in image.pixels))
    pieces, sources = _prepared(route, image)
    frames = len(image.pixels)
    if pieces.convert:
        return Calls(frames, encode=lambda index: pieces.convert(sources[index]))
    decode_source = None
    if sources:
        decode = CODECS[route.source.uid].decode
        decode_source = lambda index: decode(sources[index], pieces.plan.source)  # noqa: E731
    codec = CODECS.get(route.target.uid)
    if codec is None or codec.encode is None:
        return Calls(frames, decode_source)
    plan = pieces.plan
    return Calls(
        frames,
        decode_source,
        encode=lambda index: codec.encode(image.pixels[index], plan),
        check=(lambda coded: codec.check(coded, plan.samples)) if pieces.checked_by else None,
        decode_result=lambda coded: codec.decode(coded, plan.result),
    )


def _prepared(route: Route, image: Image) -> tuple[Pieces, list[bytes]]:
    """How the pipeline would do it, and the codestreams of the source, if it has any."""
    job: Any = Job(image.path, image.path, route.target, route.options, image.path)
    limits = Limits(_MEMORY_BYTES, grant=lambda native_bytes: None)
    with reading(image.path) as source:
        assert source.pixels is not None
        work = work_of(source, job)
        pieces = prepare(source, source.pixels, route.target, work, route.options, limits)
        frames = range(len(image.pixels))
        return pieces, [pieces.coded.codestream(n) for n in frames] if pieces.coded else []


def _deflating(data: bytes) -> Calls:
    def encode(index: int) -> bytes:
        deflater = zlib_ng.compressobj(_DEFLATE_LEVEL, wbits=_RAW)
        return deflater.compress(data) + deflater.flush()

    inflate = partial(zlib.decompress, wbits=_RAW)
    return Calls(1, encode=encode, check=inflate, decode_result=inflate)
