"""Taking one instance from a source: fetched, kept, and deleted there when that is wished."""

import hashlib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from ipaddress import ip_address

from gateway.errors import (
    DuplicateRefused,
    FilteredOut,
    InstanceMismatch,
    InstanceUnreadable,
    StoreError,
)
from gateway.follow.source import Download, Source
from gateway.model import Origin, OriginKind
from gateway.ports import Arrival, Ingest
from gateway.work.receiving import IncomingFile, written


class Outcome(StrEnum):
    """What became of an instance of a source."""

    TAKEN = "taken"
    KNOWN = "known"  # taken before
    GONE = "gone"  # deleted at the source before we came
    DISCARDED = "discarded"  # a filter does not want it
    REFUSED = "refused"  # known with other content, and duplicates = "reject"
    LEFT = "left"  # to be tried again later


# Here it is for good: the source need not have it any more.
_KEPT = frozenset((Outcome.TAKEN, Outcome.KNOWN))


class FileAltered(InstanceUnreadable):
    """What was kept is not what the source has: it must not be deleted there."""

    kind = "file-altered"


class Taker:
    """Takes instances, from several threads."""

    def __init__(self, source: Source, ingest: Ingest, *, delete_at_source: bool) -> None:
        self._source = source
        self._ingest = ingest
        self._delete_at_source = delete_at_source

    def take(self, instance_id: str) -> Outcome:
        """Take an instance; when that returns, it survives a power cut here.

        Raises RemoteError; InstanceUnreadable, InstanceMismatch; StoreError, FilterFailed.
        """
        metadata = self._source.metadata(instance_id)
        if metadata is None:
            return Outcome.GONE
        with self._source.file(instance_id) as download:
            if download is None:
                return Outcome.GONE
            digest = hashlib.md5(usedforsecurity=False)
            pieces = _digested(download.pieces, digest)
            origin = _origin(metadata, download)
            with written(self._ingest, IncomingFile(pieces), origin) as arrival:
                outcome = _kept(arrival)
        if self._delete_at_source and outcome in _KEPT:
            self._delete(instance_id, digest.hexdigest())
        return outcome

    def _delete(self, instance_id: str, md5: str) -> None:
        """Unless something else took its place there since it was fetched. Raises FileAltered."""
        theirs = self._source.md5(instance_id)
        if theirs is None:
            return
        if theirs not in ("", md5):
            raise FileAltered("the source has another file by now, or it changed on its way")
        self._source.delete(instance_id)


def is_unreadable(error: StoreError) -> bool:
    """The instance is at fault, and not our device."""
    return isinstance(error, InstanceUnreadable | InstanceMismatch)


def _kept(arrival: Arrival) -> Outcome:
    try:
        arrival.keep()
    except DuplicateRefused:
        return Outcome.REFUSED
    except FilteredOut:
        return Outcome.DISCARDED
    return Outcome.KNOWN if arrival.was_known else Outcome.TAKEN


def _digested(pieces: Iterator[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _origin(metadata: Mapping[str, str], download: Download) -> Origin:
    """The modality, when the source had the instance from one: scripts route by who has sent it.

    Everything else came over REST, from the source.
    """
    if metadata.get("Origin") != OriginKind.DICOM:
        return Origin(OriginKind.REST, remote_ip=download.remote_ip)
    return Origin(
        OriginKind.DICOM,
        calling_aet=_ae_title(metadata.get("RemoteAET", "")),
        called_aet=_ae_title(metadata.get("CalledAET", "")),
        remote_ip=_address(metadata.get("RemoteIP", "")),
    )


def _ae_title(text: str) -> str:
    """Nothing when it is none (PS3.5 6.2, VR AE): it is written into the file's header."""
    is_one = len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text
    return text if is_one else ""


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
