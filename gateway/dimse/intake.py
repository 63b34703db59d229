"""What one association brings: each data set goes to the ingest as it comes, and is answered for.

Standard: PS3.7 9.1.1, PS3.4 Annex B.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.dicom import syntaxes
from gateway.dimse.status import Status, status_of
from gateway.dimse.upstream import AssociationCut
from gateway.errors import FilteredOut, FilterFailed, StoreError
from gateway.metrics import Metrics
from gateway.model import Origin
from gateway.ports import Ingest


@dataclass(frozen=True, slots=True)
class Offer:
    """What a C-STORE request says of its data set; the UIDs as they came, whatever they are."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The C-STORE response. reason: a word for logs, metrics and Error Comment, "" for success.

    status: one of ours, or whatever a script wants to be answered.
    """

    status: int
    reason: str = ""


@dataclass(slots=True)
class Tally:
    """What an association has brought."""

    stored: int = 0
    discarded: int = 0
    refused: int = 0
    received_bytes: int = 0


class Intake:
    """Answers the C-STORE requests of one association."""

    def __init__(
        self,
        ingest: Ingest,
        metrics: Metrics,
        log: Any,
        *,
        origin: Origin,
        accepts_class: Callable[[str], bool],
    ) -> None:
        self._ingest = ingest
        self._metrics = metrics
        self._log = log
        self._origin = origin
        self._accepts_class = accepts_class
        self.tally = Tally()

    def take(self, offer: Offer, fragments: Iterator[memoryview]) -> Answer:
        """Keep the data set, or say why not; either way all of it has been read then.

        Raises AssociationCut: nothing is kept, and nobody is left to be answered.
        """
        answer = self._refusal(offer) or self._keep(offer, fragments)
        # What is refused has to be read all the same, before the answer can be given.
        for fragment in fragments:
            self.tally.received_bytes += len(fragment)
        self._metrics.received.labels(answer.reason or "stored").inc()
        if answer.reason == FilteredOut.kind:
            self.tally.discarded += 1
        elif answer.status == Status.SUCCESS:
            self.tally.stored += 1
        else:
            self.tally.refused += 1
            self._log_refusal(offer, answer)
        return answer

    def _refusal(self, offer: Offer) -> Answer | None:
        """What is wrong with the request itself."""
        if not is_uid(offer.sop_instance_uid):
            return Answer(Status.INVALID_SOP_INSTANCE, "invalid-sop-instance-uid")
        # Senders may use a context for another SOP class than it was negotiated for: tolerated, as
        # long as that one would have been accepted too.
        if not is_uid(offer.sop_class_uid) or not self._accepts_class(offer.sop_class_uid):
            return Answer(Status.SOP_CLASS_NOT_SUPPORTED, "sop-class-not-supported")
        return None

    def _keep(self, offer: Offer, fragments: Iterator[memoryview]) -> Answer:
        """Success means: the instance survives a power cut."""
        size_bytes = 0
        try:
            with self._ingest.begin(
                sop_class_uid=offer.sop_class_uid,
                sop_instance_uid=offer.sop_instance_uid,
                transfer_syntax_uid=offer.transfer_syntax_uid,
                origin=self._origin,
            ) as arrival:
                for fragment in fragments:
                    arrival.write(fragment)
                    size_bytes += len(fragment)
                arrival.keep()
        except FilteredOut as unwanted:
            return Answer(unwanted.dimse_status, unwanted.kind)
        except (StoreError, FilterFailed) as error:
            self._metrics.errors.labels(error.kind).inc()
            self._log.warning("instance not kept", kind=error.kind, reason=str(error))
            return Answer(status_of(error), error.kind)
        except AssociationCut as cut:
            self._log_cut(offer, cut, size_bytes)
            raise
        except Exception:  # noqa: BLE001
            # The border to the peer: it still has the instance, and is told to keep it.
            self._log.exception("instance not kept", kind="processing-failure")
            self._metrics.errors.labels("processing-failure").inc()
            return Answer(Status.PROCESSING_FAILURE, "processing-failure")
        finally:
            self.tally.received_bytes += size_bytes
        return Answer(Status.SUCCESS)

    def _log_refusal(self, offer: Offer, answer: Answer) -> None:
        self._log.warning(
            "instance refused",
            status=f"0x{answer.status:04X}",
            kind=answer.reason,
            # What is no UID may be anything: its length says enough.
            sop_instance_uid=offer.sop_instance_uid if is_uid(offer.sop_instance_uid) else "",
            sop_instance_uid_length=len(offer.sop_instance_uid),
        )

    def _log_cut(self, offer: Offer, cut: AssociationCut, size_bytes: int) -> None:
        self._metrics.received.labels(cut.kind).inc()
        self._log.warning(
            "instance cut off",
            reason=str(cut),
            sop_instance_uid=offer.sop_instance_uid,
            syntax=syntaxes.label(offer.transfer_syntax_uid),
            bytes=size_bytes,
        )


def is_uid(text: str) -> bool:
    """At most 64 digits and dots (PS3.5 9.1).

    Components with leading zeros are let through: wrong, harmless, and old archives are full of
    them.
    """
    return 0 < len(text) <= 64 and text.isascii() and text.replace(".", "").isdigit()
