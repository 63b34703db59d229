"""A gateway of its own in a temporary folder, which nobody can reach and which reaches nobody."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.app import Gateway
from gateway.config.models import Configuration


@contextmanager
def throw_away_gateway(configuration: Configuration) -> Iterator[Gateway]:
    """Started; stopped at the end, and its data removed. Raises GatewayError, OSError."""
    with TemporaryDirectory(prefix="gateway-try-") as folder:
        gateway = Gateway(_harmless(configuration, Path(folder)))
        gateway.start()
        try:
            yield gateway
        finally:
            gateway.stop()


def _harmless(configuration: Configuration, folder: Path) -> Configuration:
    """What was configured, but for ports, scripts, sources, and where data are kept."""
    settings = configuration
    return settings.model_copy(
        update={
            "dicom": settings.dicom.model_copy(update={"enabled": False}),
            "http": settings.http.model_copy(update={"enabled": False}),
            "scripts": settings.scripts.model_copy(
                update={"folder": folder / "scripts", "legacy": (), "heartbeat_s": 0}
            ),
            "store": settings.store.model_copy(
                update={"folder": folder / "data", "minimum_free_mb": 0}
            ),
            "follow": (),
        }
    )
