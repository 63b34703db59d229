"""What primitives know of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.models import Destination
from gateway.model import TranscodeOptions


@dataclass(frozen=True, slots=True)
class Site:
    """The destinations that Forward may name, and how to transcode when a script does not say."""

    destinations: Mapping[str, Destination]
    transcoding: TranscodeOptions
