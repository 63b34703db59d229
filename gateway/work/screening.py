"""Asking scripts whether an instance is to be sent to a modality."""

from pathlib import Path

from gateway.config.models import Destination
from gateway.dicom import part10
from gateway.dicom.tags import tags
from gateway.errors import NotToBeSent
from gateway.ports import Filters


def check_to_be_sent(filters: Filters, destination: Destination, path: Path) -> None:
    """Raises NotToBeSent, FilterFailed, InstanceUnreadable."""
    if not filters.wants_sending:
        return
    dicom = tags(part10.read_header(path))
    if not filters.sending(dicom, aet=destination.aet, host=destination.host):
        raise NotToBeSent(destination.aet)
