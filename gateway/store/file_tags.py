"""What a callback is told: of an instance from its own file, of what is above it from the index."""

from collections.abc import Mapping

from sqlalchemy import Engine, select

from gateway.dicom import part10
from gateway.dicom.tags import tags
from gateway.model import Facts, Level, Origin, OriginKind, Resource, Version, VersionState
from gateway.store import schema
from gateway.store.catalogue import Catalogue, select_related
from gateway.store.files import FileStorage
from gateway.store.instances import as_origin
from gateway.store.resource_metadata import known_of
from gateway.store.times import basic_format

_version = schema.version


class FileTags:
    """Implements the Tags port."""

    def __init__(self, storage: FileStorage, engine: Engine) -> None:
        self._storage = storage
        self._engine = engine
        self._catalogue = Catalogue(engine)

    def of(self, version: Version) -> Mapping[str, object]:
        """See the port. Raises InstanceUnreadable."""
        return tags(part10.read_header(self._storage.path(version.storage_key)))

    def of_resource(self, resource_id: str) -> Facts | None:
        """See the port."""
        resource = self._catalogue.get(resource_id)
        if resource is None:
            return None
        return Facts(self._main_tags(resource), self._metadata(resource), self._origin(resource))

    def _main_tags(self, resource: Resource) -> Mapping[str, str]:
        patients = self._catalogue.related_resources(resource, Level.PATIENT)
        return {**(patients[0].main_tags if patients else {}), **resource.main_tags}

    def _metadata(self, resource: Resource) -> Mapping[str, str]:
        with self._engine.connect() as connection:
            notes = known_of(connection, resource.level, resource.resource_id)
        known = {"LastUpdate": basic_format(resource.last_update)}
        return known | {name: note.value for name, note in notes.items()}

    def _origin(self, resource: Resource) -> Origin:
        """Of the instance that came last."""
        newest = (
            select(_version)
            .where(
                _version.c.instance_id.in_(select_related(resource, Level.INSTANCE)),
                _version.c.state == VersionState.CURRENT,
            )
            .order_by(_version.c.version_id.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(newest).first()
        return as_origin(row) if row else Origin(OriginKind.DICOM)
