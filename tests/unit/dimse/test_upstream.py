"""What we override in pynetdicom is still there, and does what ours replaces."""

import inspect

import pynetdicom
import pytest
from hypothesis import given
from hypothesis import strategies as some
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import TRANSITION_TABLE
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationServer, AssociationSocket

from gateway.dimse import upstream
from gateway.dimse.buffered import BufferedSocket
from gateway.dimse.inbound import InboundAssociation
from gateway.dimse.receiver import _Door


def test_another_version_of_pynetdicom_is_refused(monkeypatch):
    monkeypatch.setattr(pynetdicom, "__version__", "3.1.0")
    with pytest.raises(RuntimeError, match=r"3\.1\.0"):
        upstream.check_version()


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (
            BufferedSocket,
            AssociationSocket,
            ["connect", "recv", "send", "_shutdown_socket", "close"],
        ),
        (
            upstream.DrivenUpperLayer,
            DULServiceProvider,
            ["start", "is_alive", "stop_dul", "send_pdu", "receive_pdu", "_read_pdu_data"],
        ),
        (
            upstream.DrivenDimse,
            DIMSEServiceProvider,
            ["maximum_pdu_size", "receive_primitive", "get_msg"],
        ),
        (upstream.DrivenAssociation, Association, ["_bind_defaults", "_abort_blocking", "kill"]),
        (InboundAssociation, Association, ["run_reactor", "_run_reactor"]),
        (_Door, AssociationServer, ["process_request", "handle_error", "service_actions"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_we_override_exists_upstream_with_the_same_parameters(ours, theirs, names):
    for name in names:
        original, override = getattr(theirs, name), getattr(ours, name)
        if isinstance(original, property):
            assert isinstance(override, property)
            continue
        expected = list(inspect.signature(original).parameters)
        assert list(inspect.signature(override).parameters) == expected, name


@pytest.mark.parametrize(
    ("owner", "private"),
    [
        (DULServiceProvider, ["_process_recv_primitive", "_is_transport_event"]),
        (Association, ["_serve_request", "_abort_nonblocking"]),
        (AssociationSocket, ["_create_socket", "event_queue", "provider_queue"]),
    ],
)
def test_private_parts_that_we_rely_on_are_there(owner, private):
    assert [name for name in private if not hasattr(owner, name)] == []


def test_data_does_not_move_the_state_machine():
    # The sender writes data sets past it, the receiver reads them through DT-2 in Sta6.
    assert TRANSITION_TABLE["Evt9", "Sta6"] == "DT-1"
    assert TRANSITION_TABLE["Evt10", "Sta6"] == "DT-2"


@given(
    some.lists(
        some.tuples(some.integers(1, 255), some.binary(min_size=1, max_size=300)),
        min_size=1,
        max_size=5,
    )
)
def test_our_reading_of_p_data_is_pynetdicom_s(values):
    primitive = P_DATA()
    primitive.presentation_data_value_list.extend(values)
    encoded = P_DATA_TF(primitive).encode()
    read = [
        (context_id, bytes((control,)) + bytes(fragment))
        for context_id, control, fragment in upstream.DataPdu(memoryview(encoded)[6:]).pdvs
    ]
    assert read == values


@given(some.binary(max_size=64))
def test_whatever_p_data_holds_is_read_or_refused(body):
    try:
        pdvs = upstream.DataPdu(memoryview(body)).pdvs
    except (ValueError, upstream.struct.error):
        return
    assert sum(len(pdv.fragment) + 6 for pdv in pdvs) == len(body)
