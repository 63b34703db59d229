"""Revisions: two clients that write at the same time do not overwrite each other unawares.

An ETag is the revision and the MD5 of what it speaks of, `"3-900150983cd24fb0d6963f7d28e17f72"`.
"""

import re

from werkzeug import Request, Response

from gateway.rest.errors import ApiError, Fault
from gateway.store.resource_metadata import Guard, Revised

_ETAG = re.compile(r'"?(\d+)-(\w+)"?')


def etag(revision: int, md5: str) -> str:
    """As it is sent."""
    return f'"{revision}-{md5}"'


def with_etag(response: Response, tag: str) -> Response:
    """The response, with what it speaks of."""
    response.headers["ETag"] = tag
    return response


def is_known(request: Request, tag: str) -> bool:
    """The client has this already."""
    return request.headers.get("If-None-Match", "").strip() == tag


def not_modified(tag: str) -> Response:
    """What is answered then."""
    return with_etag(Response(status=304), tag)


def guard_of(request: Request, *, check: bool) -> Guard:
    """What may be replaced or deleted by a request: what the client has seen.

    check: as configured; else everything. Raises ApiError.
    """
    wanted = _wanted(request) if check else None
    missing = ApiError(Fault.REVISION, 'the header "If-Match" is missing')
    if check and wanted is None and request.method == "DELETE":
        raise missing  # whether there is something or not

    def guard(known: Revised | None) -> None:
        if not check or known is None:
            return
        if wanted is None:
            raise missing
        if wanted != (known.revision, known.md5):
            raise ApiError(Fault.REVISION)

    return guard


def _wanted(request: Request) -> tuple[int, str] | None:
    text = request.headers.get("If-Match")
    if text is None:
        return None
    parts = _ETAG.fullmatch(text.strip())
    if parts is None:
        raise ApiError(Fault.OUT_OF_RANGE, f"If-Match has to be an ETag, it is {text!r}")
    return int(parts[1]), parts[2]
