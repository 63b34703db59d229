"""Orthanc's public identifiers, which legacy scripts and clients know resources by."""

from hashlib import sha1


def _grouped_sha1(*parts: str) -> str:
    digest = sha1("|".join(parts).encode("utf-8"), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def instance_id(
    patient_id: str, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str
) -> str:
    """Forty hex digits in five groups; equal for equal identifiers, whoever computes it."""
    return _grouped_sha1(patient_id, study_instance_uid, series_instance_uid, sop_instance_uid)
