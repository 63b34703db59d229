"""Asking scripts about requests that come over HTTP, in the words that Orthanc has for them."""

from werkzeug import Request, Response

from gateway.errors import FilterFailed
from gateway.ports import Filters
from gateway.rest.access import OPEN_PATHS
from gateway.rest.application import problem
from gateway.rest.errors import fault_of_filter

# Orthanc takes these for GET before it asks.
_LIKE_GET = ("HEAD", "OPTIONS")


def refusal(filters: Filters, request: Request) -> Response | None:
    """The answer to what scripts refuse; None when they let it pass.

    What went wrong in a script is for the log only: this client has not been let in.
    """
    if not filters.wants_requests or request.path in OPEN_PATHS:
        return None
    method = "GET" if request.method in _LIKE_GET else request.method
    headers = {name.lower(): value.encode("latin-1", "replace") for name, value in request.headers}
    try:
        passes = filters.request(
            method, _uri(request), request.remote_addr or "", _username(request), headers
        )
    except FilterFailed as failed:
        return problem(request, fault_of_filter(failed))
    return None if passes else Response(status=403)


def _uri(request: Request) -> str:
    """Without the query, decoded, and in the one form that names this path.

    A filter that compares paths must not be led around by `//`, `/./` or `/x/../`.
    """
    # The server decodes all but slashes.
    path = request.path.replace("%2F", "/").replace("%2f", "/")
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    ending = "/" if names and path.endswith("/") else ""
    return "/" + "/".join(names) + ending


def _username(request: Request) -> str:
    """Who has signed in, or says so where nobody has to: "" for nobody."""
    known: str | None = request.environ.get("REMOTE_USER")
    if known is not None:
        return known
    try:
        given = request.authorization
    except ValueError:  # werkzeug's, of characters that base64 has not
        return ""
    return given.username or "" if given is not None and given.type == "basic" else ""
