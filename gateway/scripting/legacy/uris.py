"""URIs of the REST interface as scripts put them together, held against the table of routes."""

from collections.abc import Callable, Iterator
from itertools import product
from urllib.parse import unquote

from gateway.scripting.legacy.text import GAP

METHODS = {
    "RestApiGet": "GET",
    "RestApiPost": "POST",
    "RestApiPut": "PUT",
    "RestApiDelete": "DELETE",
}
_LEVELS = ("patients", "studies", "series", "instances")
# A gap may hold an id, several parts of a path, or a query that begins with "?" at its end.
_FILLINGS = ("x", "x/x", "x/x/x", "x/x/x/x", "")
_MOST_GAPS = 4


def path_of(uri: str) -> str:
    """The path of a URI, with its gaps."""
    return uri.partition("?")[0]


def is_told(uri: str) -> bool:
    """Whether enough of a URI is known to look for its route."""
    return (uri.startswith("/") and path_of(uri).strip("/" + GAP) != "") or uri == "/"


def what_is_missing(method: str, uri: str, missing: Callable[[str, str], str | None]) -> str | None:
    """As Here.missing, for a URI with gaps: the best that the gaps allow."""
    answers = [missing(method, path) for path in _candidates(path_of(uri))]
    known = [answer for answer in answers if answer is not None]
    return None if not known else "" if "" in known else known[0]


def _candidates(path: str) -> Iterator[str]:
    """Paths that may be meant."""
    pieces = path.split(GAP)
    gaps = len(pieces) - 1
    if gaps > _MOST_GAPS:
        pieces, gaps = [*pieces[: _MOST_GAPS + 1]], _MOST_GAPS
    fillings = [
        (*_LEVELS, *_FILLINGS) if piece == "/" and index == 0 else _FILLINGS
        for index, piece in enumerate(pieces[:-1])
    ]
    for chosen in product(*fillings):
        filled = "".join(a + b for a, b in zip(pieces, [*chosen, ""], strict=True))
        yield unquote(filled)


def remote_of(uri: str, kind: str) -> str | None:
    """The name of the modality or peer that a URI is about, if it is told."""
    parts = path_of(uri).split("/")
    is_about = len(parts) > 2 and parts[1] == kind and parts[2] and GAP not in parts[2]
    return unquote(parts[2]) if is_about else None
