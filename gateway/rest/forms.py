"""In which form a request wants its tags."""

from werkzeug import Request

from gateway.dicom.views import View
from gateway.rest.answers import flag
from gateway.rest.tags import tag_in_request


def form_of_resource(request: Request) -> View:
    """Of main tags: simplified, unless ?full or ?short asks for another."""
    if flag(request, "full"):
        return View.FULL
    return View.SHORT if flag(request, "short") else View.SIMPLIFIED


def form_of_tags(request: Request) -> View:
    """Of data sets: full, unless ?simplify or ?short asks for another."""
    if flag(request, "simplify"):
        return View.SIMPLIFIED
    return View.SHORT if flag(request, "short") else View.FULL


def whole_tags(request: Request) -> frozenset[int]:
    """The tags of ?ignore-length=, whose values are wanted however long they are.

    Raises ApiError.
    """
    named = request.args.get("ignore-length", "")
    return frozenset(tag_in_request(name) for name in named.split(",") if name)


def requested_tags(request: Request) -> tuple[int, ...]:
    """The tags of ?requestedTags=, separated by semicolons. Raises ApiError."""
    named = request.args.get("requestedTags") or request.args.get("requested-tags") or ""
    return tuple(tag_in_request(name) for name in named.split(";") if name)
