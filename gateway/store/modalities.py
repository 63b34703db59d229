"""Modalities: the configuration's destinations, and those that were put over REST.

Where both have the same name, what was put counts until it is deleted: then the configuration's
shows again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from gateway.config.manufacturers import GENERIC
from gateway.config.models import Destination
from gateway.store.committer import Committer
from gateway.store.remotes import RemoteKind, Remotes


@dataclass(frozen=True, slots=True)
class Modality:
    """Somebody to send to over DICOM.

    may_transcode: False when instances may be sent to it only as they are stored. forbidden: the
    names of operations that it may not ask us for, by Orthanc's keys. timeout_s: what was asked for
    with it, 0 for the usual; `destination` obeys it.
    """

    destination: Destination
    manufacturer: str = GENERIC
    may_transcode: bool = True
    forbidden: frozenset[str] = frozenset()
    timeout_s: int = 0


class Modalities:
    """All modalities, by name. Thread-safe."""

    def __init__(
        self, configured: Mapping[str, Destination], engine: Engine, committer: Committer
    ) -> None:
        self._configured = configured
        self._put = Remotes(RemoteKind.MODALITY, engine, committer)

    def get(self, name: str) -> Modality | None:
        """The modality of this name."""
        settings = self._put.get(name)
        if settings is not None:
            return _modality(settings)
        destination = self._configured.get(name)
        return _as_configured(destination) if destination is not None else None

    def all(self) -> dict[str, Modality]:
        """Every modality, in the order of the names."""
        found = {name: _as_configured(each) for name, each in self._configured.items()}
        found |= {name: _modality(settings) for name, settings in self._put.all().items()}
        return dict(sorted(found.items()))

    def put(self, name: str, modality: Modality) -> None:
        """Add or replace it, for good. Raises StorageFull, StoreError."""
        self._put.put(name, _settings(modality))

    def remove(self, name: str) -> bool:
        """Forget what was put under this name; False when that is nothing.

        Raises StorageFull, StoreError.
        """
        return self._put.remove(name)

    def is_configured(self, name: str) -> bool:
        """Whether the configuration names it."""
        return name in self._configured


class Destinations(Mapping[str, Destination]):
    """Where each modality is reached, by its name, as it is at this moment."""

    def __init__(self, modalities: Modalities) -> None:
        self._modalities = modalities

    def __getitem__(self, name: str) -> Destination:
        modality = self._modalities.get(name)
        if modality is None:
            raise KeyError(name)
        return modality.destination

    def __iter__(self) -> Iterator[str]:
        return iter(self._modalities.all())

    def __len__(self) -> int:
        return len(self._modalities.all())


def modality_destination(
    aet: str, host: str, port: int, *, calling_aet: str, timeout_s: int
) -> Destination:
    """How to reach it. calling_aet: "" for our usual title. Raises pydantic.ValidationError."""
    timeouts = ("connect_timeout_s", "acse_timeout_s", "dimse_timeout_s") if timeout_s else ()
    return Destination.model_validate(
        {
            "aet": aet,
            "host": host,
            "port": port,
            "calling_aet": calling_aet or None,
            **dict.fromkeys(timeouts, timeout_s),
        }
    )


def _as_configured(destination: Destination) -> Modality:
    return Modality(
        destination, destination.manufacturer, destination.may_transcode, destination.forbidden
    )


def _settings(modality: Modality) -> dict[str, Any]:
    destination = modality.destination
    return {
        "aet": destination.aet,
        "host": destination.host,
        "port": destination.port,
        "calling_aet": destination.calling_aet or "",
        "timeout_s": modality.timeout_s,
        "manufacturer": modality.manufacturer,
        "may_transcode": modality.may_transcode,
        "forbidden": sorted(modality.forbidden),
    }


def _modality(settings: Mapping[str, Any]) -> Modality:
    destination = modality_destination(
        settings["aet"],
        settings["host"],
        settings["port"],
        calling_aet=settings["calling_aet"],
        timeout_s=settings["timeout_s"],
    )
    return Modality(
        destination,
        settings["manufacturer"],
        settings["may_transcode"],
        frozenset(settings["forbidden"]),
        settings["timeout_s"],
    )
