"""Instances of an index from before there were resources are entered into them, at start.

Their files tell the main tags. A file that is lost or cannot be read leaves what the index knows by
itself: the identifiers.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, Row, exists, select

from gateway.dicom import part10
from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.model import Identifiers, Summary, VersionState
from gateway.store import resources, schema
from gateway.store.committer import Committer
from gateway.store.files import FileStorage, device_errors

log = logger("store")
_BATCH = 256
_version, _instance, _resource = schema.version, schema.instance, schema.resource


def backfill(engine: Engine, committer: Committer, storage: FileStorage) -> int:
    """Enter what has no resource; answer how many instances that were. Can be interrupted."""
    rows = _without_resource(engine)
    if rows:
        log.info("entering the instances of an older index", instances=len(rows))
    remaining = iter(rows)
    while batch := [_summary(row, storage) for row in islice(remaining, _BATCH)]:
        committer.commit(partial(_enter, summaries=batch))
    return len(rows)


def _without_resource(engine: Engine) -> Sequence[Row[Any]]:
    """Instances in the order of their arrival, with the file that their id names."""
    statement = (
        select(_instance, _version.c.storage_key)
        .join(_version, _version.c.instance_id == _instance.c.instance_id)
        .where(
            _version.c.state == VersionState.CURRENT,
            ~exists().where(_resource.c.resource_id == _instance.c.instance_id),
        )
        .order_by(_version.c.version_id)
    )
    with engine.connect() as connection:
        return connection.execute(statement).all()


def _enter(connection: Connection, summaries: Sequence[Summary]) -> None:
    for summary in summaries:
        resources.enter(connection, summary)


def _summary(row: Row[Any], storage: FileStorage) -> Summary:
    """What the index knows of an instance, with what its file tells beyond."""
    identifiers = Identifiers(
        instance_id=row.instance_id,
        patient_id=row.patient_id,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        sop_instance_uid=row.sop_instance_uid,
        sop_class_uid=row.sop_class_uid,
    )
    return Summary(identifiers, dict(_main_tags(identifiers, row.storage_key, storage)))


def _main_tags(
    identifiers: Identifiers, key: str, storage: FileStorage
) -> Iterator[tuple[str, str]]:
    yield "PatientID", identifiers.patient_id
    yield "StudyInstanceUID", identifiers.study_instance_uid
    yield "SeriesInstanceUID", identifiers.series_instance_uid
    yield "SOPInstanceUID", identifiers.sop_instance_uid
    try:
        with device_errors():
            yield from part10.read_file_summary(storage.path(key)).main_tags.items()
    except GatewayError as exc:
        log.error("a stored file tells no tags for the index", key=key, error=str(exc))
