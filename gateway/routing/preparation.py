"""The files of a batch for one destination: as stored, or transcoded down its ladder.

A batch is transcoded side by side while the first of it is already on its way.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from gateway.dimse.contexts import Choice, Need, choose
from gateway.errors import GatewayError
from gateway.model import Task
from gateway.ports import UNFILTERED, Filters
from gateway.routing.transcoding import options_of
from gateway.store.files import FileStorage, StagedFile
from gateway.store.modalities import Modality
from gateway.work.fitting import Parcel, fit, need_of
from gateway.work.screening import check_to_be_sent
from gateway.work.transcoding import Transcoding


class Preparation:
    """Finds or makes what is sent to one modality."""

    def __init__(
        self,
        modality: Modality,
        storage: FileStorage,
        transcoding: Transcoding,
        pool: ThreadPoolExecutor,
        filters: Filters = UNFILTERED,
    ) -> None:
        """filters: asked about each instance, side by side."""
        self._modality = modality
        self._options = modality.destination.transcode.options(transcoding.options)
        self._storage = storage
        self._transcoding = transcoding
        self._pool = pool
        self._filters = filters
        self._made: list[StagedFile] = []

    def need(self, task: Task) -> Need:
        """What the task could be sent in: by its own ladder, if the script gave one."""
        version, ladder = task.version, task.parameters.get("ladder", ())
        return need_of(self._modality, version.sop_class_uid, version.transfer_syntax_uid, ladder)

    def begin(
        self, tasks: Sequence[Task], accepted: Callable[[str], frozenset[str]]
    ) -> list["Future[Path]"]:
        """A path for each task, in order; accepted: SOP class -> syntax UIDs the peer takes."""
        return [self._begin_one(task, accepted(task.version.sop_class_uid)) for task in tasks]

    def discard(self, prepared: Iterable["Future[Path]"]) -> None:
        """Remove what was made for a batch."""
        for future in prepared:
            future.cancel()
        for future in prepared:
            if not future.cancelled():
                future.exception()  # wait: a file may be on its way
        for staged in self._made:
            staged.discard()
        self._made.clear()

    def _begin_one(self, task: Task, accepted: frozenset[str]) -> "Future[Path]":
        ready: Future[Path] = Future()
        try:
            choice = choose(self.need(task), accepted)
        except GatewayError as error:
            ready.set_exception(error)
            return ready
        if choice.ladder or self._filters.wants_sending:
            return self._pool.submit(self._fit, task, choice, accepted)
        ready.set_result(self._storage.path(task.version.storage_key))
        return ready

    def _fit(self, task: Task, choice: Choice, accepted: frozenset[str]) -> Path:
        """Raises NotToBeSent, FilterFailed, TranscodeError, NoAcceptableSyntax."""
        version = task.version
        parcel = Parcel(
            self._storage.path(version.storage_key),
            version.sop_class_uid,
            version.transfer_syntax_uid,
            version.instance_id,
        )
        check_to_be_sent(self._filters, self._modality.destination, parcel.path)
        staged = fit(parcel, choice, accepted, self._transcoding, options_of(task, self._options))
        if staged is None:
            return parcel.path
        self._made.append(staged)
        return staged.path
