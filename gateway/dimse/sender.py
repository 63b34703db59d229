"""The sender: C-STORE and C-ECHO SCU, over an association that one thread at a time uses.

Standard: PS3.7 9.1.1, 9.1.5; PS3.8 7.1 to 7.3.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import BinaryIO

from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import AddressInformation

from gateway import logs
from gateway.config.models import Destination
from gateway.dicom import syntaxes
from gateway.dicom.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, read_meta
from gateway.dimse.buffered import BufferedSocket
from gateway.dimse.contexts import MAXIMUM_CONTEXTS, Context
from gateway.dimse.outgoing import data_pdus
from gateway.dimse.policy import VERIFICATION
from gateway.dimse.prepared import MoveOriginator, store_request
from gateway.dimse.status import Status, is_warning
from gateway.dimse.upstream import AssociationCut, DrivenAssociation
from gateway.errors import (
    AssociationRejected,
    InstanceUnreadable,
    NoAcceptableSyntax,
    RemoteRefused,
    RemoteUnreachable,
)

_log = logs.logger("dimse")

_MAXIMUM_PDU_BYTES = 16384  # of what we receive: responses


def open_association(
    destination: Destination, *, calling_aet: str, contexts: Iterable[Context]
) -> "ForwardAssociation":
    """Associate with a destination.

    Raises RemoteUnreachable, AssociationRejected; NoAcceptableSyntax: it accepts no context.
    """
    association = _prepare(destination, calling_aet, tuple(contexts))
    association.request()
    if association.is_established:
        return ForwardAssociation(association, destination.aet)
    answer = association.acceptor.primitive
    association.kill()
    if association.is_rejected and answer is not None:
        raise AssociationRejected(
            f"{destination.aet} rejected the association: {_reason_of(answer)}"
        )
    if answer is not None and answer.result == 0:
        # The peer is well: it is these instances that it takes in no way that we could offer.
        raise NoAcceptableSyntax(f"{destination.aet} accepted no presentation context")
    reason = association.dul.ended_by or f"no answer in {destination.acse_timeout_s:g} s"
    raise RemoteUnreachable(
        f"no association with {destination.aet} at {destination.host}:{destination.port}: {reason}"
    )


def _prepare(
    destination: Destination, calling_aet: str, contexts: tuple[Context, ...]
) -> DrivenAssociation:
    try:
        remote = AddressInformation.from_addr_port(destination.host, destination.port)
    except OSError as exc:
        raise RemoteUnreachable(f"{destination.host} is not known: {exc}") from exc
    association = DrivenAssociation(_entity(destination, calling_aet), "requestor")
    local = AddressInformation("0.0.0.0" if remote.is_ipv4 else "::", 0)
    association.set_socket(BufferedSocket(association, address=local))
    association.acceptor.ae_title = destination.aet
    association.acceptor.address_info = remote
    association.requestor.ae_title = calling_aet
    association.requestor.address_info = local
    association.requestor.maximum_length = _MAXIMUM_PDU_BYTES
    association.requestor.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    association.requestor.requested_contexts = [
        _numbered(place, context) for place, context in enumerate(contexts[:MAXIMUM_CONTEXTS])
    ]
    return association


def _entity(destination: Destination, calling_aet: str) -> AE:
    entity = AE(calling_aet)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.connection_timeout = destination.connect_timeout_s
    entity.acse_timeout = destination.acse_timeout_s
    entity.dimse_timeout = destination.dimse_timeout_s
    return entity


def _numbered(place: int, context: Context) -> PresentationContext:
    numbered = build_context(context.sop_class_uid, context.transfer_syntax_uid)
    numbered.context_id = 2 * place + 1
    return numbered


def _reason_of(answer: A_ASSOCIATE) -> str:
    return f"{answer.result_str}, {answer.source_str}, {answer.reason_str}"


class ForwardAssociation:
    """An established association with a destination. One thread at a time uses it.

    It has no thread of its own: what the peer does between two calls shows in the next one, or in
    `is_alive`.
    """

    def __init__(self, association: DrivenAssociation, called_aet: str) -> None:
        self._association = association
        self._called_aet = called_aet
        self._message_ids = cycle(range(1, 1 << 16))
        self._context_ids = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0])): context.context_id
            for context in association.accepted_contexts
        }

    @property
    def is_alive(self) -> bool:
        """False when the association has ended, or the peer is about to end it."""
        association = self._association
        return association.is_established and not association.dul.socket.has_input

    def accepted(self, sop_class_uid: str) -> frozenset[str]:
        """The transfer syntax UIDs that the peer takes for a SOP class."""
        return frozenset(syntax for uid, syntax in self._context_ids if uid == sop_class_uid)

    def store(self, path: Path, originator: MoveOriginator | None = None) -> None:
        """Send a file in the transfer syntax that it has, without loading it.

        originator: whose C-MOVE it is sent for. A warning status is success, and logged.
        Raises NoAcceptableSyntax, RemoteRefused, RemoteUnreachable (the association is of no use
        any more), InstanceUnreadable.
        """
        meta = read_meta(path)
        context_id = self._context_ids.get((meta.sop_class_uid, meta.transfer_syntax_uid))
        if context_id is None:
            raise NoAcceptableSyntax(
                f"{self._called_aet} does not take this SOP class in "
                f"{syntaxes.label(meta.transfer_syntax_uid)}"
            )
        message_id = next(self._message_ids)
        with _opened(path) as file, self._trouble_ends_it():
            pdus = data_pdus(
                file.fileno(),
                meta.data_set_offset,
                context_id=context_id,
                maximum_pdu_bytes=self._association.dimse.maximum_pdu_size,
            )
            request = store_request(
                message_id, meta.sop_class_uid, meta.sop_instance_uid, originator
            )
            self._association.dimse.send_command(request, context_id)
            self._association.dimse.send_data(pdus)
            response = self._response_to(C_STORE, message_id)
        self._check(response, meta.sop_instance_uid)

    def echo(self) -> None:
        """C-ECHO. Raises NoAcceptableSyntax (not negotiated), RemoteRefused, RemoteUnreachable."""
        context_id = next(
            (number for (uid, _), number in self._context_ids.items() if uid == VERIFICATION), None
        )
        if context_id is None:
            raise NoAcceptableSyntax(f"{self._called_aet} does not take C-ECHO")
        request = C_ECHO()
        request.MessageID = next(self._message_ids)
        request.AffectedSOPClassUID = UID(VERIFICATION)
        with self._trouble_ends_it():
            self._association.dimse.send_msg(request, context_id)
            response = self._response_to(C_ECHO, request.MessageID)
        self._check(response, "")

    def release(self) -> None:
        """End the association in good order; by abort when the peer does not answer. No error."""
        self._association.release()
        self._association.kill()

    def abort(self) -> None:
        """End the association at once. No error."""
        self._association.abort()

    @contextmanager
    def _trouble_ends_it(self) -> Iterator[None]:
        """A message that did not come to its end leaves an association that cannot go on."""
        try:
            yield
        except (AssociationCut, OSError) as exc:
            self._association.dul.note(str(exc))
            self.abort()
            raise RemoteUnreachable(
                f"the association with {self._called_aet} broke: {self._association.dul.ended_by}"
            ) from exc
        except InstanceUnreadable:
            self.abort()
            raise

    def _response_to(self, service: type[C_STORE | C_ECHO], message_id: int) -> C_STORE | C_ECHO:
        _context_id, response = self._association.dimse.get_msg(block=True)
        if response is None:
            self._association.dul.note(f"no response in {self._association.dimse_timeout:g} s")
            raise AssociationCut("no response")
        if (
            not isinstance(response, service)
            or response.Status is None
            or response.MessageIDBeingRespondedTo != message_id
        ):
            raise AssociationCut("the peer's message is not the response that was due")
        return response

    def _check(self, response: C_STORE | C_ECHO, sop_instance_uid: str) -> None:
        status = int(response.Status or 0)
        if status == Status.SUCCESS:
            return
        comment = str(getattr(response, "ErrorComment", None) or "")
        if not is_warning(status):
            raise RemoteRefused(self._called_aet, status, comment)
        _log.warning(
            "instance accepted with a warning",
            called_aet=self._called_aet,
            status=f"0x{status:04X}",
            sop_instance_uid=sop_instance_uid,
        )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        file = path.open("rb")
    except OSError as exc:
        raise InstanceUnreadable(f"the file cannot be opened: {exc}") from exc
    with file:
        yield file
