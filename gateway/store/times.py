"""Times in the index: seconds since the epoch, UTC. Clients are told them in one format."""

from datetime import UTC, datetime


def as_datetime(epoch_s: float) -> datetime:
    """Timezone-aware UTC."""
    return datetime.fromtimestamp(epoch_s, UTC)


def basic_format(moment: datetime) -> str:
    """As clients of Orthanc read times: ISO 8601 without separators, to the second."""
    return f"{moment:%Y%m%dT%H%M%S}"
