"""Whether a file of an instance is still what it was when it came."""

import hashlib

from sqlalchemy import Engine, select

from gateway.dicom import part10
from gateway.errors import InstanceUnreadable
from gateway.model import Version
from gateway.store import schema
from gateway.store.files import RECEIVED, FileStorage, device_errors

_version = schema.version.c


def is_intact(engine: Engine, files: FileStorage, version: Version) -> bool:
    """A received file has the data set that came; of a derived one only the size is known.

    Raises StoreError.
    """
    path = files.path(version.storage_key)
    with device_errors():
        if not path.exists() or path.stat().st_size != version.size_bytes:
            return False
        if not version.storage_key.startswith(RECEIVED):
            return True
        try:
            offset = part10.read_meta(path).data_set_offset
        except InstanceUnreadable:
            return False
        with path.open("rb") as file:
            file.seek(offset)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    with engine.connect() as connection:
        wanted = select(_version.content_sha256).where(_version.version_id == version.version_id)
        return connection.scalar(wanted) == digest
