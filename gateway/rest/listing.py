"""Lists of what is below a path that has no answer of its own, as Orthanc gives them."""

from collections import defaultdict
from collections.abc import Iterable

from werkzeug import Request, Response

from gateway.rest.answers import json_answer
from gateway.rest.routes import Handler, Route


def listing_routes(routes: Iterable[Route]) -> tuple[Route, ...]:
    """GET of each path that leads to routes and is none itself: the names that may follow."""
    below: defaultdict[str, set[str]] = defaultdict(set)
    answered = {route.path for route in routes if route.method == "GET"}
    for route in routes:
        parent, _, name = route.path.rpartition("/")
        if parent and parent not in answered and not name.startswith("<"):
            below[parent].add(name)
    return tuple(Route("GET", path, _list_of(sorted(names))) for path, names in below.items())


def _list_of(names: list[str]) -> Handler:
    def answer(request: Request, **variables: str) -> Response:
        return json_answer(names)

    return answer
