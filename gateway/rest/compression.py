"""Answers made smaller for clients that accept it; files go as they are."""

import zlib
from collections.abc import Iterable, Iterator

from werkzeug import Request, Response

SMALLEST_BYTES = 512
# Most of what there is to gain, at a fraction of the time.
_LEVEL = 1
_GZIP_WINDOW, _ZLIB_WINDOW = zlib.MAX_WBITS + 16, zlib.MAX_WBITS
_WINDOWS = {"gzip": _GZIP_WINDOW, "deflate": _ZLIB_WINDOW}
_TEXTUAL = ("text/", "application/json", "application/xml", "application/dicom+json")


def compress(request: Request, response: Response) -> Response:
    """The response, compressed if that is worth it and welcome. Changes it in place."""
    if not _is_worth_it(response):
        return response
    response.vary.add("Accept-Encoding")
    accepted = request.accept_encodings
    coding = next((name for name in _WINDOWS if accepted[name] > 0), None)
    if coding is None:
        return response
    compressor = zlib.compressobj(_LEVEL, wbits=_WINDOWS[coding])
    if response.is_sequence:
        response.set_data(compressor.compress(response.get_data()) + compressor.flush())
    else:
        if close := getattr(response.response, "close", None):
            response.call_on_close(close)
        response.response = _compressed(response.response, compressor)  # type: ignore[arg-type]
        del response.content_length
    response.content_encoding = coding
    return response


def _is_worth_it(response: Response) -> bool:
    if response.status_code != 200 or response.content_encoding or response.direct_passthrough:
        return False
    if not (response.content_type or "").startswith(_TEXTUAL):
        return False
    return not response.is_sequence or len(response.get_data()) >= SMALLEST_BYTES


def _compressed(pieces: Iterable[bytes], compressor: "zlib._Compress") -> Iterator[bytes]:
    for piece in pieces:
        if data := compressor.compress(piece):
            yield data
    yield compressor.flush()
