"""Resources as they are shown with all that a request wants to know of them."""

from collections.abc import Sequence
from typing import Any

from gateway.dicom.views import View
from gateway.model import Resource
from gateway.rest.expanded import expanded
from gateway.rest.requested import tags_requested
from gateway.rest.services import Services
from gateway.store.details import details_of


def shown(
    services: Services, resources: Sequence[Resource], form: View, requested_tags: Sequence[int]
) -> list[dict[str, Any]]:
    """Resources of one level. Raises InstanceUnreadable: a file that a tag is looked for in."""
    answers = []
    for details in details_of(services.store.engine, resources):
        content = expanded(details, form)
        if requested_tags:
            content["RequestedTags"] = tags_requested(
                services, details.resource, requested_tags, form
            )
        answers.append(content)
    return answers
