"""The way in: a data set is written as it comes, checked, synced and committed, then answered."""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from sqlalchemy import Connection

from gateway.dicom import part10, syntaxes
from gateway.dicom.tags import tags
from gateway.errors import FilteredOut, InstanceMismatch, LoopNoticed, StorageFull
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Identifiers, Origin, Summary
from gateway.ports import UNFILTERED, Filters
from gateway.store.arrivals import ArrivalTranscoding
from gateway.store.capacity import Capacity
from gateway.store.committer import Committer
from gateway.store.files import RECEIVED, FileStorage, device_errors, sync_file
from gateway.store.instances import Arrived, DuplicatePolicy, NewVersion, Outcome, add_arrival
from gateway.store.repetition import keep_one_file
from gateway.store.resource_metadata import set_metadata

log = logger("store")
_FREE_SPACE_MAXIMUM_AGE_S = 1.0


class StoreIngest:
    """Implements the Ingest port. on_stored is called after each commit that made an event."""

    def __init__(  # noqa: PLR0913 - each is named where it is made
        self,
        storage: FileStorage,
        committer: Committer,
        *,
        duplicates: DuplicatePolicy,
        minimum_free_bytes: int,
        loop_limit: int,
        metrics: Metrics,
        on_stored: Callable[[], None],
        filters: Filters = UNFILTERED,
        transcoding: ArrivalTranscoding | None = None,
        capacity: Capacity | None = None,
    ) -> None:
        self._storage = storage
        self._committer = committer
        self._duplicates = duplicates
        self._minimum_free_bytes = minimum_free_bytes
        self._loop_limit = loop_limit
        self._metrics = metrics
        self._on_stored = on_stored
        self._filters = filters
        self._transcoding = transcoding
        self._capacity = capacity
        self._free_bytes = 0
        self._free_bytes_known_at = 0.0

    def begin(
        self,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        origin: Origin,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> "StoreArrival":
        """See the port. Raises StorageFull, LoopNoticed, StoreError."""
        self._check_room()
        self.check_loop(origin)
        return StoreArrival(
            self, sop_class_uid, sop_instance_uid, transfer_syntax_uid, origin, metadata
        )

    def check_loop(self, origin: Origin) -> None:
        """See the port."""
        if origin.generation <= self._loop_limit:
            return
        self._metrics.errors.labels(LoopNoticed.kind).inc()
        loop = LoopNoticed(
            f"a loop: scripts have answered what scripts have stored {self._loop_limit} times in a"
            " row; look at origin.RequestOrigin, which is 'Lua' then, or raise scripts.loop_limit"
        )
        log.error("instance refused", kind=loop.kind, reason=str(loop))
        raise loop

    def _check_room(self) -> None:
        if time.monotonic() - self._free_bytes_known_at > _FREE_SPACE_MAXIMUM_AGE_S:
            self._free_bytes = self._storage.free_bytes()
            self._free_bytes_known_at = time.monotonic()
        if self._capacity is not None:
            self._capacity.check()
        if self._free_bytes < self._minimum_free_bytes:
            raise StorageFull(
                f"{self._free_bytes >> 20} MB are free, store.minimum_free_mb asks for "
                f"{self._minimum_free_bytes >> 20}"
            )


class StoreArrival:
    """One data set on its way into the store; implements the Arrival port."""

    def __init__(
        self,
        ingest: StoreIngest,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        origin: Origin,
        metadata: Mapping[str, str],
    ) -> None:
        self._ingest = ingest
        self._sop_class_uid = sop_class_uid
        self._sop_instance_uid = sop_instance_uid
        self._syntax_uid = transfer_syntax_uid
        self._origin = origin
        self._metadata = metadata
        self._started = time.monotonic()
        self._identifiers: Identifiers | None = None
        self._outcome: Outcome | None = None
        self._digest = hashlib.sha256()
        self._staged = ingest._storage.stage(RECEIVED)
        self._file = self._staged.create()
        try:
            header = part10.header(
                sop_class_uid,
                sop_instance_uid,
                transfer_syntax_uid,
                calling_aet=origin.calling_aet,
                called_aet=origin.called_aet,
            )
            with device_errors():
                self._data_set_offset = self._file.write(header)
        except BaseException:
            self.forget()
            raise

    def __enter__(self) -> "StoreArrival":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.forget()

    def write(self, fragment: bytes | memoryview) -> None:
        """See the port."""
        with device_errors():
            self._file.write(fragment)
        self._digest.update(fragment)

    def keep(self, also: Callable[[Connection, int], None] | None = None) -> str:
        """See the port. also: done in the same transaction, with the version's id."""
        with device_errors():
            self._file.flush()
            size_bytes = self._file.tell()
            self._file.seek(self._data_set_offset)
        summary = part10.read_summary(
            self._file,
            sop_class_uid=self._sop_class_uid,
            transfer_syntax_uid=self._syntax_uid,
        )
        identifiers = self._identifiers = summary.identifiers
        self._check_announced(identifiers)
        if self._ingest._filters.wants_received:
            self._check_wanted(identifiers)
        summary, new = self._as_kept(summary, size_bytes)
        identifiers = self._identifiers = summary.identifiers
        arrived = self._ingest._committer.commit(
            lambda connection: self._enter(connection, summary, new, also), [self._staged]
        )
        self._outcome = arrived.outcome
        self._keep_one_file(arrived, new)
        self._report(identifiers, arrived, new)
        return identifiers.instance_id

    def _as_kept(self, summary: Summary, size_bytes: int) -> tuple[Summary, NewVersion]:
        """What came, or what it is transcoded to on arrival: staged, and on the device."""
        content_sha256 = self._digest.hexdigest()
        transcoding, came = self._ingest._transcoding, self._staged
        made = transcoding and transcoding.make(came, summary, self._syntax_uid, content_sha256)
        if not made:
            sync_file(self._file)
            self._file.close()
            new = NewVersion(came.key, self._syntax_uid, size_bytes, content_sha256)
            return summary, new
        self.forget()
        self._staged = made.staged
        syntax_uid, size_bytes = made.transfer_syntax_uid, made.size_bytes
        return made.summary, NewVersion(made.staged.key, syntax_uid, size_bytes, content_sha256)

    def _keep_one_file(self, arrived: Arrived, new: NewVersion) -> None:
        """The file was published before the commit could tell that it is not needed."""
        storage = self._ingest._storage
        if arrived.outcome is Outcome.IDENTICAL:
            keep_one_file(storage, self._ingest._committer, arrived, new)
        elif arrived.outcome is Outcome.DISCARDED:
            storage.remove(new.storage_key)

    def _enter(
        self,
        connection: Connection,
        summary: Summary,
        new: NewVersion,
        also: Callable[[Connection, int], None] | None,
    ) -> Arrived:
        if self._ingest._capacity is not None:
            self._ingest._capacity.admit(connection, summary.identifiers)
        arrived = add_arrival(connection, summary, new, self._origin, self._ingest._duplicates)
        if arrived.outcome.is_new:
            for name, value in self._metadata.items():
                set_metadata(connection, summary.identifiers.instance_id, name, value)
        if also is not None:
            also(connection, arrived.version_id)
        return arrived

    @property
    def identifiers(self) -> Identifiers:
        """See the port."""
        if self._identifiers is None:
            raise RuntimeError("only keep() tells what an arrival is")
        return self._identifiers

    @property
    def was_known(self) -> bool:
        """See the port."""
        return self._outcome in (Outcome.IDENTICAL, Outcome.KEPT_BESIDE, Outcome.DISCARDED)

    def forget(self) -> None:
        """Remove what is only staged. No error when there is nothing."""
        with suppress(OSError):  # closing writes what is buffered, and the device may be full
            self._file.close()
        self._staged.discard()

    def _check_announced(self, identifiers: Identifiers) -> None:
        # PS3.4 B.2.2: the request announces the instance that its data set is. Two names for one
        # image would let an archive and us speak of different things.
        for what, announced, found in (
            ("SOP Class UID", self._sop_class_uid, identifiers.sop_class_uid),
            ("SOP Instance UID", self._sop_instance_uid, identifiers.sop_instance_uid),
        ):
            if announced != found:
                raise InstanceMismatch(
                    f"the request announced {what} {announced}, the data set says {found}"
                )

    def _check_wanted(self, identifiers: Identifiers) -> None:
        """Raises FilteredOut, FilterFailed; InstanceUnreadable behind what the index reads."""
        dataset, pixels = part10.read_to_pixels(self._staged.path)
        verdict = self._ingest._filters.received(
            tags(dataset),
            self._origin,
            transfer_syntax_uid=self._syntax_uid,
            has_pixel_data=pixels is not None,
        )
        if verdict.keeps:
            return
        log.info(
            "instance discarded",
            instance=identifiers.instance_id,
            script=verdict.script,
            status=f"0x{verdict.dimse_status:04X}",
            calling_aet=self._origin.calling_aet,
        )
        raise FilteredOut(verdict.script, verdict.dimse_status)

    def _report(self, identifiers: Identifiers, arrived: Arrived, new: NewVersion) -> None:
        ingest = self._ingest
        if arrived.outcome.is_new:
            ingest._on_stored()
            ingest._metrics.stored_bytes.inc(new.size_bytes)
        write = log.info if arrived.outcome in (Outcome.STORED, Outcome.IDENTICAL) else log.warning
        write(
            "instance " + arrived.outcome,
            instance=identifiers.instance_id,
            version=arrived.version_id,
            syntax=syntaxes.label(new.transfer_syntax_uid),
            bytes=new.size_bytes,
            calling_aet=self._origin.calling_aet,
            ms=round((time.monotonic() - self._started) * 1000, 1),
        )
