"""Sending files to one modality over one association: as they are, or as it takes them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from gateway.dicom.rates import AS_STORED
from gateway.dimse.contexts import MAXIMUM_CONTEXTS, Choice, Context, Need, choose, propose
from gateway.dimse.prepared import MoveOriginator
from gateway.dimse.sender import ForwardAssociation, open_association
from gateway.model import TranscodeOptions
from gateway.ports import UNFILTERED, Filters
from gateway.store.modalities import Modality
from gateway.work.fitting import Parcel, fit, need_of
from gateway.work.screening import check_to_be_sent
from gateway.work.transcoding import Transcoding


@dataclass(frozen=True, slots=True)
class Manner:
    """How to send to a modality.

    syntax_uid: what to send images in, where they and the modality allow it; "" for the modality's
    own ladder. originator: whose C-MOVE they are sent for.
    """

    modality: Modality
    calling_aet: str
    options: TranscodeOptions
    syntax_uid: str = ""
    originator: MoveOriginator | None = None

    def need(self, sop_class_uid: str, stored_syntax_uid: str) -> Need:
        """What such a file may be sent in."""
        ladder = (self.syntax_uid, AS_STORED) if self.syntax_uid else ()
        return need_of(self.modality, sop_class_uid, stored_syntax_uid, ladder)


class Delivery:
    """An association with a modality, opened for the first file, and anew when it has broken.

    `with Delivery(...) as delivery: delivery.send(...)`; leaving the block releases it.
    """

    def __init__(
        self, manner: Manner, transcoding: Transcoding, filters: Filters = UNFILTERED
    ) -> None:
        self._manner = manner
        self._filters = filters
        self._transcoding = transcoding
        self._expected: tuple[Need, ...] = ()
        self._proposed: frozenset[Context] = frozenset()
        self._association: ForwardAssociation | None = None

    def __enter__(self) -> "Delivery":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def expect(self, files: Iterable[tuple[str, str]]) -> None:
        """Tell what is to come, so that one association serves it all: classes with syntaxes."""
        self._expected = tuple(self._manner.need(*file) for file in dict.fromkeys(files))

    def send(self, parcel: Parcel) -> None:
        """Send one file.

        Raises NotToBeSent, FilterFailed, RemoteError, TranscodeError, InstanceUnreadable.
        """
        check_to_be_sent(self._filters, self._manner.modality.destination, parcel.path)
        need = self._manner.need(parcel.sop_class_uid, parcel.transfer_syntax_uid)
        association = self._opened_for(need)
        accepted = association.accepted(parcel.sop_class_uid)
        with self._prepared(parcel, choose(need, accepted), accepted) as path:
            association.store(path, self._manner.originator)

    def _opened_for(self, need: Need) -> ForwardAssociation:
        """An association on which this was proposed; one carries only so many proposals."""
        wanted = propose([need])
        if self._association is not None and self._association.is_alive:
            proposed_all = self._proposed.issuperset(wanted)
            if proposed_all or self._association.accepted(need.sop_class_uid):
                return self._association
        self._close()
        everything = dict.fromkeys([*wanted, *propose(self._expected)])
        contexts = list(everything)[:MAXIMUM_CONTEXTS]
        self._association = open_association(
            self._manner.modality.destination,
            calling_aet=self._manner.calling_aet,
            contexts=contexts,
        )
        self._proposed = frozenset(contexts)
        return self._association

    @contextmanager
    def _prepared(self, parcel: Parcel, choice: Choice, accepted: frozenset[str]) -> Iterator[Path]:
        """The file that is sent; what was made for it is removed afterwards."""
        staged = fit(parcel, choice, accepted, self._transcoding, self._manner.options)
        if staged is None:
            yield parcel.path
            return
        try:
            yield staged.path
        finally:
            staged.discard()

    def _close(self) -> None:
        association, self._association = self._association, None
        if association is not None:
            association.release()
