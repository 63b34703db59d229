"""From the id in a path to what it names."""

from gateway.model import Level, Resource, Version
from gateway.rest.errors import ApiError, Fault
from gateway.rest.services import Services


def resource_of(services: Services, level: Level, resource_id: str) -> Resource:
    """The resource with this id, if it is of this level. Raises ApiError."""
    resource = services.catalogue.get(resource_id)
    if resource is None or resource.level is not level:
        raise ApiError(Fault.UNKNOWN_RESOURCE)
    return resource


def version_of(services: Services, instance_id: str) -> Version:
    """The file that an instance's id names now. Raises ApiError."""
    version = services.catalogue.version(instance_id)
    if version is None:
        raise ApiError(Fault.UNKNOWN_RESOURCE)
    return version
