"""What a callback is told of an instance: read from the instance's own file."""

from collections.abc import Mapping

from gateway.dicom import part10
from gateway.dicom.tags import tags
from gateway.model import Version
from gateway.store.files import FileStorage


class FileTags:
    """Implements the Tags port: reads the header of a version's file."""

    def __init__(self, storage: FileStorage) -> None:
        self._storage = storage

    def of(self, version: Version) -> Mapping[str, object]:
        """See the port. Raises InstanceUnreadable."""
        return tags(part10.read_header(self._storage.path(version.storage_key)))
