"""Resources as they are shown with all that a request wants to know of them."""

from collections.abc import Sequence
from typing import Any

from gateway.dicom.series import expected_instances
from gateway.dicom.views import View
from gateway.model import Resource
from gateway.rest.expanded import expanded
from gateway.rest.requested import tags_requested
from gateway.rest.services import Services
from gateway.store.details import Details


def shown(
    services: Services, resources: Sequence[Resource], form: View, requested_tags: Sequence[int]
) -> list[dict[str, Any]]:
    """Resources of one level. Raises InstanceUnreadable: a file that a tag is looked for in."""
    # Whether a series is complete can only be told where it says how many instances it has.
    with_child_tags = any(expected_instances(each.main_tags) is not None for each in resources)
    return [
        shown_one(services, details, form, requested_tags)
        for details in services.catalogue.details(resources, with_child_tags=with_child_tags)
    ]


def shown_one(
    services: Services, details: Details, form: View, requested_tags: Sequence[int]
) -> dict[str, Any]:
    """One of them. Raises InstanceUnreadable, as above."""
    content = expanded(details, form)
    if requested_tags:
        content["RequestedTags"] = tags_requested(services, details.resource, requested_tags, form)
    return content
