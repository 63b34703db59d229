"""Orthanc's public identifiers, which legacy scripts and clients know resources by."""

from hashlib import sha1
from uuid import NAMESPACE_OID, uuid5

from gateway.model import Identifiers, Level


def _grouped_sha1(*parts: str) -> str:
    digest = sha1("|".join(parts).encode("utf-8"), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def resource_ids(identifiers: Identifiers) -> dict[Level, str]:
    """The ids of an instance and of all above it."""
    uids = (
        identifiers.patient_id,
        identifiers.study_instance_uid,
        identifiers.series_instance_uid,
        identifiers.sop_instance_uid,
    )
    return {level: _grouped_sha1(*uids[:depth]) for depth, level in enumerate(Level, start=1)}


def instance_id(
    patient_id: str, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str
) -> str:
    """Forty hex digits in five groups; equal for equal identifiers, whoever computes it."""
    return _grouped_sha1(patient_id, study_instance_uid, series_instance_uid, sop_instance_uid)


def derived_uid(sop_instance_uid: str, *how: object) -> str:
    """A UID for what is made of an instance in this way: the same each time it is made.

    So an instance that is compressed again, because its sending failed half-way, is not another
    one to its receiver. Standard: PS3.5 B.2 (UIDs from UUIDs).
    """
    name = "|".join([sop_instance_uid, *map(str, how)])
    return f"2.25.{uuid5(NAMESPACE_OID, name).int}"


def modified_uid(sop_instance_uid: str, salt: str) -> str:
    """The UID of what is made of an instance by a modification with this salt."""
    return derived_uid(sop_instance_uid, salt)
