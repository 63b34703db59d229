"""What a route is. Every part of the REST interface contributes a tuple of them to one table."""

from collections.abc import Callable
from dataclasses import dataclass

from werkzeug import Response

Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path.

    path: as werkzeug writes it, `/instances/<instance_id>/file`. handler: called with the request
    and the path's variables by keyword; it may raise werkzeug's HTTP exceptions. GET answers HEAD
    as well.
    """

    method: str
    path: str
    handler: Handler
