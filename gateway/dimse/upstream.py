"""pynetdicom's association without its reactors: all that we change in it, and nowhere else.

pynetdicom runs two threads per association that hand each other primitives through queues and
sleep a millisecond between looks. Here one thread does both: whoever waits for something *drives*
the upper layer until it is there, and what is sent is on the wire when `send_pdu` returns. The
state machine, ACSE, the PDUs and the DIMSE messages stay pynetdicom's.

What is overridden is partly private there: `tests/unit/dimse/test_upstream.py` holds us to the
version that it was written for.
"""

import logging
import math
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, cast

import pynetdicom
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import P_DATA

from gateway.dimse.buffered import BufferedSocket
from gateway.errors import GatewayError

WRITTEN_FOR = "3.0."

# Its messages repeat ours, once per association and with tracebacks; some quote what peers sent.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)

_HEADER = struct.Struct(">BxI")
_PDV_HEADER = struct.Struct(">IBB")
_P_DATA_TF = 0x04
_COMMAND, _LAST = 0x01, 0x02

# The events of PS3.8 table 9-10 that are PDUs, other than A-ABORT.
_PDU_EVENTS = frozenset({"Evt3", "Evt4", "Evt6", "Evt10", "Evt12", "Evt13"})

# 128 contexts that propose every transfer syntax there is take about 230,000 bytes.
_MAXIMUM_ASSOCIATE_BYTES = 1 << 18
_MAXIMUM_COMMAND_BYTES = 1 << 14
_SMALLEST_PDU_BYTES = 128
# Some peers leave headers out when they count a PDU's length against the maximum we announced.
_SLACK_BYTES = 64
# The longest PDU that we send, however long the peer's may be.
_LONGEST_PDU_BYTES = 1 << 18
_MAXIMUM_UID_LENGTH = 64


class AssociationCut(GatewayError):
    """The association ended within a message."""

    kind = "association-cut"


class Pdv(NamedTuple):
    """A fragment of a command or of a data set (PS3.8 9.3.5.1, E.2), with its control byte."""

    context_id: int
    control: int
    fragment: memoryview


class DataPdu:
    """A P-DATA-TF: views of the receive buffer instead of copies."""

    def __init__(self, body: memoryview) -> None:
        """Raises ValueError when the PDVs do not fill the body."""
        self.pdvs: list[Pdv] = []
        position, end = 0, len(body)
        while position < end:
            length, context_id, control = _PDV_HEADER.unpack_from(body, position)
            following = position + 4 + length
            if length < 2 or following > end:
                raise ValueError(f"a PDV of {length} bytes does not fit into its P-DATA-TF")
            fragment = body[position + _PDV_HEADER.size : following]
            self.pdvs.append(Pdv(context_id, control, fragment))
            position = following


class DrivenUpperLayer(DULServiceProvider):
    """The upper layer in the hands of the thread that waits for it.

    ended_by: the first thing that went wrong, in words; "" while nothing has.
    ARTIM (PS3.8 9.1.5) is the time-out of what waits for an A-ASSOCIATE PDU, and the limit on
    lingering after the last PDU of an association.
    """

    ended_by = ""
    socket: BufferedSocket
    _deadline = math.inf  # of the present drive

    def start(self) -> None:
        """No thread: `Association` only has to be told that it may go on."""
        self.assoc._dul_ready.set()

    def is_alive(self) -> bool:
        """Whether the association still has an upper layer."""
        return not self._kill_thread

    def stop_dul(self) -> bool:
        """End now; close the connection."""
        self._kill_thread = True
        if self.socket is not None:
            self.socket._shutdown_socket()
        return True

    def note(self, problem: str) -> None:
        """Remember why the association ends; the first reason is the cause of the others."""
        self.ended_by = self.ended_by or problem

    def violation(self, problem: str) -> None:
        """The peer broke the protocol: abort (Evt19)."""
        self.note(problem)
        self.event_queue.put("Evt19")
        self._run_events()

    def send_pdu(self, primitive: Any) -> None:
        """Send now, in the calling thread."""
        super().send_pdu(primitive)
        self._run_events()

    def receive_pdu(self, wait: bool = False, timeout: float | None = None) -> Any:
        """The next primitive for the service user; None when there is none in time."""
        if wait:
            deadline = time.monotonic() + (math.inf if timeout is None else timeout)
            self.drive(deadline, self.has_news)
        return super().receive_pdu(wait=False)

    def has_news(self) -> bool:
        """Whether the peer has released, aborted, or answered about the association."""
        return not self.to_user_queue.empty()

    def drive(self, deadline: float, until: Callable[[], bool]) -> None:
        """Receive until `until()` or the deadline (monotonic), or until the association ends."""
        self._run_events()
        while not (self._kill_thread or until()):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            if self._has_input(left):
                self._deadline = deadline
                self._read_pdu_data()
                self._run_events()

    def _has_input(self, timeout_s: float) -> bool:
        try:
            return self.socket.wait(timeout_s)
        except OSError as exc:
            self.note(str(exc))
            self.event_queue.put("Evt17")
            self._run_events()
            return False

    def _run_events(self) -> None:
        """Take all that waits through the state machine."""
        while not self._kill_thread:
            if self.event_queue.empty() and not self._process_recv_primitive():
                return
            self._run_event(self.event_queue.get_nowait())
            if self.state_machine.current_state == "Sta13" and self.event_queue.empty():
                # The last PDU of the association is sent. Closing emits Evt17, which ends it.
                self.socket.close()

    def _run_event(self, event: str) -> None:
        try:
            self.state_machine.do_action(event)
            if event in _PDU_EVENTS and self.state_machine.current_state == "Sta13":
                self.note("the peer sent a PDU that cannot be accepted at this point")
        except Exception as exc:  # noqa: BLE001 - whatever pynetdicom finds wrong with a peer's PDU
            # As its own reactor does: past the state machine, whose state is not known any more.
            self.note(f"the peer sent what pynetdicom cannot take ({type(exc).__name__})")
            abort = A_ABORT_RQ()
            abort.source, abort.reason_diagnostic = 0x02, 0x00
            self.socket.send(abort.encode())
            self.assoc.is_aborted = True
            self.assoc.is_established = False
            self.stop_dul()

    def _read_pdu_data(self) -> None:
        """Read one PDU; one that is too long is refused by its header, before it is read."""
        is_established = self.state_machine.current_state == "Sta6"
        self.socket.deadline = (
            time.monotonic() + (self.assoc.dimse_timeout or math.inf)
            if is_established
            else self._deadline
        )
        try:
            pdu_type, length = _HEADER.unpack(self.socket.peek(_HEADER.size))
            if length > self._limit(pdu_type):
                self.note(f"a PDU of type 0x{pdu_type:02X} and {length} bytes is too long")
                self.event_queue.put("Evt19")
            elif pdu_type == _P_DATA_TF and is_established:
                self._read_data(length)
            else:
                self.socket.peek(_HEADER.size + length)
                super()._read_pdu_data()
                self._note_event()
        except OSError as exc:
            self.note(str(exc))
            self.event_queue.put("Evt17")

    def _read_data(self, length: int) -> None:
        self.socket.take(_HEADER.size)
        try:
            # What the state machine would do (Evt10 in Sta6: DT-2, stay), without its queues.
            dimse = cast(DrivenDimse, self.assoc.dimse)
            dimse.receive_data(DataPdu(self.socket.take(length)))
        except (ValueError, struct.error) as exc:
            self.note(str(exc))
            self.event_queue.put("Evt19")

    def _note_event(self) -> None:
        event = self.event_queue.queue[-1]
        if event == "Evt16":
            self.note("the peer aborted the association")
        elif event == "Evt19":
            self.note("the peer sent what is no valid PDU")

    def _limit(self, pdu_type: int) -> int:
        if pdu_type == _P_DATA_TF:
            user = self.assoc.acceptor if self.assoc.is_acceptor else self.assoc.requestor
            return (user.maximum_length or 0) + _SLACK_BYTES
        return _MAXIMUM_ASSOCIATE_BYTES if pdu_type in (0x01, 0x02) else _SLACK_BYTES


class DrivenDimse(DIMSEServiceProvider):
    """Messages whose data sets are pulled, fragment by fragment, by who serves them."""

    dul: DrivenUpperLayer

    def __init__(self, assoc: "DrivenAssociation") -> None:
        super().__init__(assoc)
        self._pdvs: deque[Pdv] = deque()

    @property
    def maximum_pdu_size(self) -> int:
        """What the peer takes, but bounded: "any" must not make us send a file as one PDU.

        Raises AssociationCut: it takes so little that no message can be sent.
        """
        announced = super().maximum_pdu_size or _LONGEST_PDU_BYTES
        if announced < _SMALLEST_PDU_BYTES:
            raise self._violation(f"a maximum PDU length of {announced} bytes was announced")
        return min(announced, _LONGEST_PDU_BYTES)

    def receive_data(self, pdu: DataPdu) -> None:
        """Fragments for whoever waits for a message."""
        self._pdvs.extend(pdu.pdvs)

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Data that comes during a release (AR-6) is of no use."""

    def get_msg(self, block: bool = False) -> tuple[Any, Any]:
        """What pynetdicom's services call: the next message, waited for or not."""
        return self.next_message((self.dimse_timeout or math.inf) if block else 0)

    def next_message(self, silence_s: float) -> tuple[Any, Any]:
        """The context id and the primitive of the next message, its data set yet to be read.

        (None, None) when none begins in `silence_s`, or the association ends or is being released.
        Raises AssociationCut.
        """
        pdv = self._next_pdv(silence_s)
        if pdv is None:
            return None, None
        message = DIMSEMessage()
        size_bytes = 0
        while True:
            size_bytes += len(pdv.fragment)
            if not pdv.control & _COMMAND or size_bytes > _MAXIMUM_COMMAND_BYTES:
                raise self._violation("a command set was expected, and no longer than any can be")
            data = P_DATA()
            control = bytes((pdv.control & (_COMMAND | _LAST),))
            data.presentation_data_value_list.append(
                (pdv.context_id, control + bytes(pdv.fragment))
            )
            self._decode(message.decode_msg, data)
            if pdv.control & _LAST:
                self._decode(_blank_impossible_uid, message)
                return pdv.context_id, self._decode(message.message_to_primitive)
            pdv = self._next_pdv_of_message()

    def _decode(self, decoder: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return decoder(*arguments)
        except Exception as exc:
            raise self._violation(
                f"the command set is not understood ({type(exc).__name__})"
            ) from exc

    def send_command(self, command: bytes, context_id: int) -> None:
        """Send an encoded command set. Raises OSError, AssociationCut."""
        room = self.maximum_pdu_size - _PDV_HEADER.size
        pdus = bytearray()
        for start in range(0, len(command), room):
            part = command[start : start + room]
            last = _LAST if start + room >= len(command) else 0
            pdus += _HEADER.pack(_P_DATA_TF, _PDV_HEADER.size + len(part))
            pdus += _PDV_HEADER.pack(2 + len(part), context_id, _COMMAND | last) + part
        self.send_data([memoryview(pdus)])

    def send_data(self, pdus: Iterable[memoryview]) -> None:
        """Send ready P-DATA-TFs.

        They go past the state machine, which data does not move (DT-1 stays in Sta6).
        Raises OSError, AssociationCut.
        """
        for some in pdus:
            if not self.dul.is_alive():
                raise AssociationCut(self.dul.ended_by)
            self.dul.socket.write(some)

    def fragments(self, context_id: int) -> Iterator[memoryview]:
        """The data set that follows a command. Each view is valid until the next one is asked for.

        Raises AssociationCut.
        """
        is_last = False
        while not is_last:
            pdv = self._next_pdv_of_message()
            if pdv.context_id != context_id or pdv.control & _COMMAND:
                raise self._violation("a fragment is not of the data set that is under way")
            is_last = bool(pdv.control & _LAST)
            yield pdv.fragment

    def _next_pdv_of_message(self) -> Pdv:
        pdv = self._next_pdv(self.dimse_timeout or math.inf)
        if pdv is None:
            self.dul.note("the peer paused for too long within a message")
            raise AssociationCut(self.dul.ended_by)
        return pdv

    def _next_pdv(self, silence_s: float) -> Pdv | None:
        if not self._pdvs:
            self.dul.drive(time.monotonic() + silence_s, self._has_something)
        return self._pdvs.popleft() if self._pdvs else None

    def _has_something(self) -> bool:
        return bool(self._pdvs) or self.dul.has_news()

    def _violation(self, problem: str) -> AssociationCut:
        self.dul.violation(problem)
        return AssociationCut(problem)


def _blank_impossible_uid(message: DIMSEMessage) -> None:
    """Primitives refuse UIDs that are too long; a request with one deserves an answer."""
    uid = message.command_set.get("AffectedSOPInstanceUID")
    if uid is not None and len(uid) > _MAXIMUM_UID_LENGTH:
        message.command_set.AffectedSOPInstanceUID = ""


class DrivenAssociation(Association):
    """An association whose thread, or whose caller, drives its upper layer."""

    dul: DrivenUpperLayer
    dimse: DrivenDimse

    def __init__(self, ae: ApplicationEntity, mode: str) -> None:
        super().__init__(ae, mode)
        self.dul = DrivenUpperLayer(self)
        self.dimse = DrivenDimse(self)
        self._is_paused = True  # no reactor runs that its services would have to wait for

    def _bind_defaults(self) -> None:
        """Without the handlers that write whole PDUs and messages to the log."""
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))

    def _abort_blocking(self, block: bool = True) -> None:
        """Send A-ABORT, close the connection and end."""
        if not self._sent_abort and not self.is_released:
            self._sent_abort = True
            self.acse.send_abort(0x00)
        self.kill()

    def kill(self) -> None:
        """End; close the connection if it is still open."""
        self._kill = True
        self.is_established = False
        self.dul.stop_dul()


def check_version() -> None:
    """Raises RuntimeError when pynetdicom is not the version whose private parts we know."""
    if not pynetdicom.__version__.startswith(WRITTEN_FOR):
        raise RuntimeError(
            f"pynetdicom {pynetdicom.__version__} is installed; gateway.dimse.upstream was written"
            f" for {WRITTEN_FOR}x"
        )


check_version()
