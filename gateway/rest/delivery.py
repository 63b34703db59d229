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
from gateway.errors import NoAcceptableSyntax, TranscodeError
from gateway.logs import logger
from gateway.model import TranscodeOptions
from gateway.ports import Codecs
from gateway.store.files import DERIVED, FileStorage
from gateway.store.modalities import Modality

log = logger("rest")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to be sent. instance_id: "" when it is none of ours."""

    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_id: str = ""


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
        ladder = self.modality.destination.syntaxes
        if not self.modality.may_transcode:
            ladder = (AS_STORED,)
        elif self.syntax_uid:
            ladder = (self.syntax_uid, AS_STORED)
        return Need(sop_class_uid, stored_syntax_uid, ladder)

    def contexts(self, needs: Iterable[Need]) -> list[Context]:
        """What to propose for files of these needs."""
        if self.modality.may_transcode:
            return list(propose(needs))
        return [Context(need.sop_class_uid, need.stored) for need in needs]


class Delivery:
    """An association with a modality, opened for the first file, and anew when it has broken.

    `with Delivery(...) as delivery: delivery.send(...)`; leaving the block releases it.
    """

    def __init__(self, manner: Manner, storage: FileStorage, codecs: Codecs) -> None:
        self._manner = manner
        self._storage = storage
        self._codecs = codecs
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
        """Send one file. Raises RemoteError, TranscodeError, InstanceUnreadable."""
        need = self._manner.need(parcel.sop_class_uid, parcel.transfer_syntax_uid)
        association = self._opened_for(need)
        accepted = association.accepted(parcel.sop_class_uid)
        with self._prepared(parcel, choose(need, accepted), accepted) as path:
            association.store(path, self._manner.originator)

    def _opened_for(self, need: Need) -> ForwardAssociation:
        """An association on which this was proposed; one carries only so many proposals."""
        wanted = self._manner.contexts([need])
        if self._association is not None and self._association.is_alive:
            proposed_all = self._proposed.issuperset(wanted)
            if proposed_all or self._association.accepted(need.sop_class_uid):
                return self._association
        self._close()
        everything = dict.fromkeys([*wanted, *self._manner.contexts(self._expected)])
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
        if not choice.ladder:
            yield parcel.path
            return
        staged = self._storage.stage(DERIVED, made_from=parcel.instance_id)
        try:
            yield self._transcoded(parcel, staged.path, choice, accepted)
        finally:
            staged.discard()

    def _transcoded(
        self, parcel: Parcel, target: Path, choice: Choice, accepted: frozenset[str]
    ) -> Path:
        """In the first syntax that both the image and the modality allow; else as it is stored.

        Each is tried by itself: what has no pixels, or would lose too much, comes out in another
        syntax than was asked for. Raises TranscodeError, NoAcceptableSyntax.
        """
        refusal: TranscodeError | NoAcceptableSyntax | None = None
        for syntax_uid in choice.ladder:
            try:
                report = self._codecs.transcode(
                    parcel.path, target, [syntax_uid], self._manner.options
                )
            except TranscodeError as error:
                refusal = error
                continue
            if report.target_syntax_uid in accepted:
                return target
        if choice.as_stored:
            log.info("instance goes as stored", instance=parcel.instance_id, refused=str(refusal))
            return parcel.path
        raise refusal or NoAcceptableSyntax("nothing that it accepts can be made of the instance")

    def _close(self) -> None:
        association, self._association = self._association, None
        if association is not None:
            association.release()
