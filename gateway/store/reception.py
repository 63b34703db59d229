"""What is known of how an instance came, by Orthanc's names."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from gateway.model import Level, OriginKind, VersionState
from gateway.store import schema
from gateway.store.instances import select_versions
from gateway.store.times import as_datetime, basic_format

_version, _resource = schema.version, schema.resource
_IS_CURRENT = _version.c.state == VersionState.CURRENT
_OF_INSTANCE = select_versions().where(_version.c.instance_id == bindparam("of"), _IS_CURRENT)
_FIRST_SENDER = (
    select(_version.c.calling_aet)
    .join(_resource, _resource.c.resource_id == _version.c.instance_id)
    .where(_resource.c.parent_id == bindparam("of"), _IS_CURRENT)
    .order_by(_resource.c.created_at, _resource.c.resource_id)
    .limit(1)
)


def reception(row: Row[Any]) -> dict[str, str]:
    """Of a row of select_versions(). Who is not known by name is known by an empty one."""
    known = {
        "ReceptionDate": basic_format(as_datetime(row.created_at)),
        "RemoteAET": row.calling_aet,
        "Origin": row.origin_kind,
        "TransferSyntax": row.transfer_syntax_uid,
        "SopClassUid": row.sop_class_uid,
    }
    if row.origin_kind != OriginKind.LUA:
        known["RemoteIP"] = row.remote_ip
    if row.origin_kind == OriginKind.DICOM:
        known["CalledAET"] = row.called_aet
    if row.origin_kind == OriginKind.REST:
        known["HttpUsername"] = row.username
    return known


def system_metadata(connection: Connection, level: Level, resource_id: str) -> dict[str, str]:
    """What the index tells of the reception of an instance, and of the first one of a series."""
    if level is Level.INSTANCE:
        row = connection.execute(_OF_INSTANCE, {"of": resource_id}).first()
        return reception(row) if row else {}
    if level is Level.SERIES:
        return {"RemoteAET": connection.scalar(_FIRST_SENDER, {"of": resource_id}) or ""}
    return {}
