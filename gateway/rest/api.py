"""The whole table of routes: every part of the REST interface contributes its own."""

from gateway.rest.job_routes import job_routes
from gateway.rest.routes import Route
from gateway.rest.services import Services


def api_routes(services: Services) -> tuple[Route, ...]:
    """All routes that Orthanc's clients know."""
    return (*job_routes(services),)
