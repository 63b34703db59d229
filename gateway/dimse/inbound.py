"""An association that a peer opens with us: admission, messages, end; all in a thread of its own.

Standard: PS3.8 7.1 to 7.3, PS3.7 9.1.1 and 9.1.5, PS3.4 Annex A.
"""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import build_context
from pynetdicom.transport import AddressInformation

from gateway import logs
from gateway.dimse.buffered import BufferedSocket
from gateway.dimse.crowd import Crowd
from gateway.dimse.intake import Answer, Intake, Offer, is_uid
from gateway.dimse.policy import (
    Accept,
    Policy,
    Reject,
    Service,
    accepted_contexts,
    judge,
    questions,
    with_answers,
)
from gateway.dimse.prepared import store_success
from gateway.dimse.status import Status
from gateway.dimse.upstream import AssociationCut, DrivenAssociation
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind
from gateway.ports import UNFILTERED, Filters, Ingest

_log = logs.logger("dimse")

# How soon a silent association notices that the receiver stops.
_LOOK_UP_S = 0.5


@dataclass(slots=True)
class House:
    """What all associations of one receiver share. policy: another one may take its place."""

    policy: Policy
    ingest: Ingest
    metrics: Metrics
    crowd: Crowd
    idle_timeout_s: float
    filters: Filters = UNFILTERED


class InboundAssociation(DrivenAssociation):
    """The acceptor's side of one association; its thread ends with it."""

    def __init__(self, ae: AE, client: socket.socket, address: Any, house: House) -> None:
        super().__init__(ae, "acceptor")
        self.set_socket(BufferedSocket(self, client_socket=client))
        self.name = f"dimse-{address[0]}:{address[1]}"
        self.acceptor.ae_title = ae.ae_title
        self.acceptor.maximum_length = ae.maximum_pdu_size
        self.acceptor.implementation_version_name = ae.implementation_version_name
        self.requestor.address_info = AddressInformation.from_tuple(address)
        self.bind(evt.EVT_REQUESTED, self._on_requested)
        self._client = client
        self._remote_ip = str(address[0])
        self._house = house
        self._log = _log.bind(remote_ip=self._remote_ip)
        self._allow: frozenset[str] = frozenset()
        self._policy = house.policy
        self._echoes = 0
        self._is_stopping = False

    # --- called by other threads ---------------------------------------------------------------

    def finish(self) -> None:
        """See Member."""
        self._is_stopping = True

    def cut(self, reason: str) -> None:
        """See Member."""
        self._is_stopping = True
        self.dul.note(reason)
        with suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    # --- its own thread: admission -------------------------------------------------------------

    def run_reactor(self) -> None:
        """The association's whole life."""
        try:
            super().run_reactor()
            if self.requestor.primitive is None:
                reason = self.dul.ended_by or f"said nothing for {self.acse_timeout:g} s"
                self._log.warning("no association", reason=reason)
                self._house.metrics.errors.labels("no-association").inc()
        except Exception:  # noqa: BLE001
            # The border to the peer: whatever is wrong with us ends this association only.
            self._log.exception("association failed")
            self._house.metrics.errors.labels("association").inc()
        finally:
            self.kill()
            self._house.crowd.leave(self)

    def _on_requested(self, _event: evt.Event) -> None:
        try:
            verdict = self._house.crowd.admit(self, self._judge)
            if isinstance(verdict, Reject):
                self._reject(verdict)
            else:
                self._accept(verdict)
        except Exception:  # noqa: BLE001 - upstream would swallow it, and accept
            self._log.exception("association failed")
            self.abort()

    def _judge(self, open_associations: int) -> Accept | Reject:
        request = self._request
        self._log = self._log.bind(
            calling_aet=request.calling_ae_title, called_aet=request.called_ae_title
        )
        return judge(
            self._house.policy,
            calling_aet=request.calling_ae_title,
            called_aet=request.called_ae_title,
            remote_ip=self._remote_ip,
            open_associations=open_associations,
        )

    def _accept(self, verdict: Accept) -> None:
        """Say what is supported; upstream negotiates with that."""
        self._allow = verdict.allow
        proposed = [
            (str(context.abstract_syntax), [str(uid) for uid in context.transfer_syntax])
            for context in self._request.presentation_context_definition_list
        ]
        self._policy = self._asked_of_scripts(proposed)
        supported = accepted_contexts(self._policy, verdict.allow, proposed)
        self.acceptor.supported_contexts = [
            build_context(sop_class_uid, list(syntax_uids))
            for sop_class_uid, syntax_uids in supported.items()
        ]

    def _asked_of_scripts(self, proposed: Sequence[tuple[str, Sequence[str]]]) -> Policy:
        """The policy for this association. The peer waits; others do not."""
        policy, filters = self._house.policy, self._house.filters
        if not filters.wants_associations:
            return policy
        calling_aet = self._request.calling_ae_title
        answers = filters.association(calling_aet, self._remote_ip, questions(proposed))
        return with_answers(policy, answers)

    def _reject(self, verdict: Reject) -> None:
        self._log.warning(
            "association rejected",
            result=verdict.result,
            source=verdict.source,
            diagnostic=verdict.reason,
            reason=verdict.why,
        )
        self._house.metrics.errors.labels("association-rejected").inc()
        self.acse.send_reject(verdict.result, verdict.source, verdict.reason)

    @property
    def _request(self) -> A_ASSOCIATE:
        request = self.requestor.primitive
        if request is None:
            raise AssociationCut("no association was requested")
        return request

    # --- its own thread: messages --------------------------------------------------------------

    def _run_reactor(self) -> None:
        """Answer messages until the association ends, and log what it was."""
        started = time.monotonic()
        self._log.info(
            "association opened",
            contexts_accepted=len(self.accepted_contexts),
            contexts_rejected=len(self.rejected_contexts),
            implementation=ascii(self.requestor.implementation_version_name or "")[1:-1],
        )
        intake = self._make_intake()
        with self._house.metrics.associations.track_inprogress():
            with suppress(AssociationCut):  # its reason is noted where it is raised
                self._serve_until_end(intake)
            ending = self._conclude()
        self._log.info(
            "association closed",
            ending=ending,
            stored=intake.tally.stored,
            discarded=intake.tally.discarded,
            refused=intake.tally.refused,
            bytes=intake.tally.received_bytes,
            echoes=self._echoes,
            seconds=round(time.monotonic() - started, 3),
        )

    def _make_intake(self) -> Intake:
        request = self._request
        origin = Origin(
            OriginKind.DICOM,
            calling_aet=request.calling_ae_title,
            called_aet=request.called_ae_title,
            remote_ip=self._remote_ip,
        )
        return Intake(
            self._house.ingest,
            self._house.metrics,
            self._log,
            origin=origin,
            accepts_class=lambda uid: self._policy.accepts_class(uid, self._allow),
        )

    def _serve_until_end(self, intake: Intake) -> None:
        silent_since = time.monotonic()
        while self.dul.is_alive():
            if self._is_stopping:
                self.dul.note("the receiver stops")
                return
            context_id, message = self.dimse.next_message(_LOOK_UP_S)
            if message is not None:
                self._serve(message, context_id, intake)
                silent_since = time.monotonic()
            elif self.dul.has_news():
                return
            elif time.monotonic() - silent_since > self._house.idle_timeout_s:
                self.dul.note(f"silent for {self._house.idle_timeout_s:g} s")
                return

    def _conclude(self) -> str:
        """Release or abort; answer in words how the association ended."""
        self._house.crowd.part(self)
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released = True
            self.kill()
            return "released"
        if self.dul.is_alive():
            self.abort()
        self.is_aborted = True
        self.kill()
        return self.dul.ended_by or "aborted"

    def _serve(self, message: Any, context_id: int, intake: Intake) -> None:
        context = self._accepted_cx.get(context_id)
        if context is None or getattr(message, "MessageID", None) is None:
            self._violate("a message that is no request, or in a context that was not accepted")
        elif isinstance(message, C_STORE):
            offer = Offer(
                str(message.AffectedSOPClassUID or ""),
                str(message.AffectedSOPInstanceUID or ""),
                str(context.transfer_syntax[0]),
            )
            self._respond(message, context_id, intake.take(offer, self.dimse.fragments(context_id)))
        elif isinstance(message, C_ECHO):
            self._echoes += 1
            may_echo = Service.ECHO in self._allow
            self._respond(
                message,
                context_id,
                Answer(Status.SUCCESS if may_echo else Status.NOT_AUTHORIZED),
            )
        else:
            self._violate(f"{message.msg_type} is not a service that was negotiated")

    def _violate(self, problem: str) -> None:
        self.dul.violation(problem)
        raise AssociationCut(problem)

    def _respond(self, request: C_STORE | C_ECHO, context_id: int, answer: Answer) -> None:
        uid = str(getattr(request, "AffectedSOPInstanceUID", None) or "")
        if isinstance(request, C_STORE) and answer.status == Status.SUCCESS:
            sop_class_uid = str(request.AffectedSOPClassUID)
            success = store_success(int(request.MessageID or 0), sop_class_uid, uid)
            self.dimse.send_command(success, context_id)
            return
        response = type(request)()
        response.MessageIDBeingRespondedTo = request.MessageID
        response.AffectedSOPClassUID = request.AffectedSOPClassUID
        response.Status = answer.status
        if isinstance(request, C_STORE) and isinstance(response, C_STORE):
            if is_uid(uid):
                response.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
            response.ErrorComment = answer.reason or None  # type: ignore[assignment]
        self.dimse.send_msg(response, context_id)
