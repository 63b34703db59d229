"""The whole table of routes: every part of the REST interface contributes its own."""

from gateway.rest.archives import archive_routes
from gateway.rest.attachments import attachment_routes
from gateway.rest.changes import change_routes
from gateway.rest.find import find_routes
from gateway.rest.instances import instance_routes
from gateway.rest.job_routes import job_routes
from gateway.rest.labels import label_routes
from gateway.rest.later import later_routes
from gateway.rest.listing import listing_routes
from gateway.rest.metadata import metadata_routes
from gateway.rest.modalities import modality_routes
from gateway.rest.modify import modify_routes
from gateway.rest.monitoring import monitoring_routes
from gateway.rest.openapi import with_description
from gateway.rest.peers import peer_routes
from gateway.rest.pixels import pixel_routes
from gateway.rest.resource_tags import resource_tag_routes
from gateway.rest.resources import resource_routes
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.snippets import snippet_routes
from gateway.rest.system import system_routes
from gateway.rest.tuning import tuning_routes


def api_routes(services: Services) -> tuple[Route, ...]:
    """All routes that Orthanc's clients know."""
    routes = (
        *system_routes(services),
        *tuning_routes(services),
        *monitoring_routes(services),
        *snippet_routes(services),
        *job_routes(services),
        *archive_routes(services),
        *resource_routes(services),
        *resource_tag_routes(services),
        *instance_routes(services),
        *pixel_routes(services),
        *metadata_routes(services),
        *attachment_routes(services),
        *label_routes(services),
        *change_routes(services),
        *find_routes(services),
        *modify_routes(services),
        *modality_routes(services),
        *peer_routes(services),
        *later_routes(),
    )
    return with_description((*routes, *listing_routes(routes)))
