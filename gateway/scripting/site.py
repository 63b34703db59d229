"""What scripts reach of the gateway around them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.config.models import Destination
from gateway.model import TranscodeOptions
from gateway.ports import KeyValues, RestApi, StableStatus
from gateway.scripting.runtime import HostFunction, OfBytes


@dataclass(frozen=True, slots=True)
class Outside:
    """What scripts reach at once. configuration: what Orthanc's keys would say of this gateway."""

    rest_api: RestApi
    key_values: KeyValues
    stable_status: StableStatus
    configuration: Callable[[], Mapping[str, Any]]
    http_timeout_s: float


HostFunctions = Mapping[str, HostFunction | OfBytes]


def _for_real(functions: HostFunctions) -> HostFunctions:
    return functions


@dataclass(frozen=True, slots=True)
class Site:
    """The destinations that Forward may name, and how to transcode when a script does not say.

    peers: the names of those that SendToPeer may name. metadata_names: what the site calls numbers
    of metadata. outside: None where scripts run without a gateway. rehearsal: gets the functions of
    outside.py, and answers what scripts that are only tried have in their place.
    """

    destinations: Mapping[str, Destination]
    transcoding: TranscodeOptions
    outside: Outside | None = None
    peers: Collection[str] = ()
    metadata_names: Mapping[str, str] = field(default_factory=dict)
    rehearsal: Callable[[HostFunctions], HostFunctions] = _for_real
