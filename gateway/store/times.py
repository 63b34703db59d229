"""Times in the index: seconds since the epoch, UTC."""

from datetime import UTC, datetime


def as_datetime(epoch_s: float) -> datetime:
    """Timezone-aware UTC."""
    return datetime.fromtimestamp(epoch_s, UTC)
