"""The receiver, seen by peers on real sockets."""

import threading

import pytest
from dimse_support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    J2K,
    JPEG_BASELINE,
    VERIFICATION,
    associated,
    association_request,
    connect,
    data_set_of,
    read_pdu,
    read_to_end,
    receiving,
)
from images import make_ct
from pydicom import dcmread
from pynetdicom.pdu import A_ASSOCIATE_AC
from scu import c_store
from structlog.testing import capture_logs
from waiting import wait_until

from gateway.errors import (
    CannotListen,
    DuplicateRefused,
    InstanceMismatch,
    InstanceUnreadable,
    StorageFull,
    StoreError,
)
from gateway.model import OriginKind

PRIVATE_CLASS = "1.2.826.0.1.3680043.9.9999.1"
FIND_CLASS = "1.2.840.10008.5.1.4.1.2.2.1"
RETIRED_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6"


def send(association, path):
    return c_store(association, dcmread(path))


def send_and_hold(running, association, path):
    """Send from a thread, while keeping waits: the thread, and where its status will be."""
    running.ingest.hold = threading.Event()
    statuses = []
    sender = threading.Thread(target=lambda: statuses.append(send(association, path)))
    sender.start()
    assert running.ingest.holding.wait(10)
    return sender, statuses


def accepted(association):
    return {(cx.abstract_syntax, cx.transfer_syntax[0]) for cx in association.accepted_contexts}


def test_what_is_kept_is_what_was_sent_byte_for_byte(tmp_path):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=300_000)
    with receiving(tmp_path / "in") as running, associated(running.port) as association:
        assert send(association, path) == 0x0000
        (kept,) = running.ingest.kept
        assert kept.data == data_set_of(path)
        assert (kept.sop_class_uid, kept.transfer_syntax_uid) == (CT, EXPLICIT)
        assert kept.sop_instance_uid == dcmread(path).SOPInstanceUID


def test_the_origin_names_both_ae_titles_and_the_address(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running:
        with associated(running.port, calling_aet="CT1", called_aet="ROUTER") as association:
            send(association, path)
        origin = running.ingest.kept[0].origin
    assert (origin.calling_aet, origin.called_aet) == ("CT1", "ROUTER")
    assert (origin.kind, origin.remote_ip) == (OriginKind.DICOM, "127.0.0.1")


def test_many_images_come_over_one_association(tmp_path):
    paths = [make_ct(tmp_path / f"{number}.dcm") for number in range(30)]
    with receiving(tmp_path / "in") as running:
        with associated(running.port) as association:
            assert [send(association, path) for path in paths] == [0] * 30
        assert [kept.data for kept in running.ingest.kept] == [data_set_of(p) for p in paths]
        assert running.counted("gateway_received_instances_total", outcome="stored") == 30
        wait_until(lambda: running.counted("gateway_open_associations") == 0)


def test_echo_is_answered_with_success(tmp_path):
    with (
        receiving(tmp_path / "in") as running,
        associated(running.port, [(VERIFICATION, [IMPLICIT])]) as association,
    ):
        assert association.send_c_echo().Status == 0x0000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageFull("full"), 0xA700),
        (InstanceUnreadable("what"), 0xC000),
        (InstanceMismatch("other"), 0xA900),
        (DuplicateRefused("known"), 0x0111),
        (StoreError("something"), 0x0110),
        (RuntimeError("a bug"), 0x0110),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else f"{value:04X}",
)
@pytest.mark.parametrize("stage", ["fail_begin", "fail_write", "fail_keep"])
def test_a_failure_to_keep_is_told_by_its_status_and_leaves_the_association_usable(
    tmp_path, stage, error, status
):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=200_000)
    with receiving(tmp_path / "in") as running, associated(running.port) as association:
        setattr(running.ingest, stage, error)
        assert send(association, path) == status
        setattr(running.ingest, stage, None)
        assert send(association, path) == 0x0000
        assert len(running.ingest.kept) == 1
        assert running.ingest.leftovers == []


def test_success_is_answered_only_after_the_instance_is_kept(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, associated(running.port) as association:
        sender, statuses = send_and_hold(running, association, path)
        assert statuses == []
        running.ingest.hold.set()
        sender.join(10)
        assert statuses == [0x0000]


# --- negotiation ---------------------------------------------------------------------------------


def test_every_syntax_that_policy_allows_is_accepted_in_a_context_of_its_own(tmp_path):
    offered = [EXPLICIT, IMPLICIT, J2K, JPEG_BASELINE, "1.2.840.10008.1.2.4.202"]
    with (
        receiving(tmp_path / "in") as running,
        associated(running.port, [(CT, [syntax]) for syntax in offered]) as association,
    ):
        assert accepted(association) == {(CT, syntax) for syntax in offered}


def test_a_syntax_whose_switch_is_off_is_refused(tmp_path):
    with (
        receiving(tmp_path / "in", syntaxes={"jpeg2000": False}) as running,
        associated(running.port, [(CT, [J2K]), (CT, [EXPLICIT])]) as association,
    ):
        assert accepted(association) == {(CT, EXPLICIT)}
        assert [cx.result for cx in association.rejected_contexts] == [0x04]


def test_an_image_is_stored_in_the_syntax_of_its_context(tmp_path):
    path = make_ct(tmp_path / "a.dcm", syntax=J2K)
    with (
        receiving(tmp_path / "in") as running,
        associated(running.port, [(CT, [EXPLICIT]), (CT, [J2K])]) as association,
    ):
        assert send(association, path) == 0
        assert running.ingest.kept[0].transfer_syntax_uid == J2K
        assert running.ingest.kept[0].data == data_set_of(path)


@pytest.mark.parametrize(
    ("switch", "expected"), [(False, set()), (True, {(PRIVATE_CLASS, IMPLICIT)})]
)
def test_a_private_sop_class_is_accepted_when_unknown_ones_are(tmp_path, switch, expected):
    offered = [(PRIVATE_CLASS, [IMPLICIT]), (CT, [EXPLICIT])]
    with (
        receiving(tmp_path / "in", accept_unknown_sop_classes=switch) as running,
        associated(running.port, offered) as association,
    ):
        assert accepted(association) - {(CT, EXPLICIT)} == expected


def test_an_instance_of_a_private_sop_class_is_stored(tmp_path):
    path = make_ct(tmp_path / "a.dcm", sop_class=PRIVATE_CLASS)
    with (
        receiving(tmp_path / "in", accept_unknown_sop_classes=True) as running,
        associated(running.port, [(PRIVATE_CLASS, [EXPLICIT])]) as association,
    ):
        assert send(association, path) == 0
        assert running.ingest.kept[0].sop_class_uid == PRIVATE_CLASS


def test_a_retired_storage_class_is_stored(tmp_path):
    path = make_ct(tmp_path / "a.dcm", sop_class=RETIRED_ULTRASOUND)
    with (
        receiving(tmp_path / "in") as running,
        associated(running.port, [(RETIRED_ULTRASOUND, [EXPLICIT])]) as association,
    ):
        assert send(association, path) == 0


def test_a_service_that_is_not_storage_is_never_accepted(tmp_path):
    offered = [(FIND_CLASS, [IMPLICIT]), (CT, [EXPLICIT])]
    with (
        receiving(tmp_path / "in", accept_unknown_sop_classes=True) as running,
        associated(running.port, offered) as association,
    ):
        assert accepted(association) == {(CT, EXPLICIT)}


def test_our_maximum_pdu_length_is_announced(tmp_path):
    with (
        receiving(tmp_path / "in", maximum_pdu_bytes=65536) as running,
        connect(running.port) as sock,
    ):
        sock.sendall(association_request())
        answer = A_ASSOCIATE_AC()
        answer.decode(read_pdu(sock))
    assert answer.user_information.maximum_length == 65536


# --- who may call --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "rejection"),
    [
        ({"check_called_aet": True, "aet": "OTHER"}, (1, 1, 7)),
        ({"allow_unknown_callers": False}, (1, 1, 3)),
        ({"callers": [{"aet": "MODALITY", "networks": ["10.0.0.0/8"]}]}, (1, 1, 3)),
    ],
)
def test_a_caller_that_policy_does_not_know_is_rejected_with_the_reason(
    tmp_path, settings, rejection
):
    with receiving(tmp_path / "in", **settings) as running, connect(running.port) as sock:
        sock.sendall(association_request())
        answer = read_to_end(sock)
    assert answer[0] == 0x03
    assert tuple(answer[7:10]) == rejection


def test_an_address_outside_of_the_networks_is_not_listened_to(tmp_path):
    with (
        receiving(tmp_path / "in", networks=["10.0.0.0/8"]) as running,
        connect(running.port) as sock,
    ):
        assert sock.recv(1) == b""


def test_a_caller_that_may_only_echo_cannot_store(tmp_path):
    offered = [(CT, [EXPLICIT]), (VERIFICATION, [IMPLICIT])]
    callers = [{"aet": "MODALITY", "allow": ["echo"]}]
    with (
        receiving(tmp_path / "in", callers=callers) as running,
        associated(running.port, offered) as association,
    ):
        assert accepted(association) == {(VERIFICATION, IMPLICIT)}


def test_one_association_too_many_is_rejected_as_a_passing_limit(tmp_path):
    with receiving(tmp_path / "in", maximum_associations=2) as running:
        with (
            associated(running.port),
            associated(running.port),
            connect(running.port) as sock,
        ):
            sock.sendall(association_request())
            assert tuple(read_to_end(sock)[7:10]) == (2, 3, 2)
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        with associated(running.port) as association:
            assert association.is_established


# --- the end -------------------------------------------------------------------------------------


def test_a_silent_association_is_aborted(tmp_path):
    with receiving(tmp_path / "in", idle_timeout_s=0.2) as running, connect(running.port) as sock:
        sock.sendall(association_request())
        assert read_pdu(sock)[0] == 0x02
        assert read_to_end(sock)[0] == 0x07


def test_stopping_lets_a_running_store_finish_and_then_aborts(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, associated(running.port) as association:
        sender, statuses = send_and_hold(running, association, path)
        stopper = threading.Thread(target=running.receiver.stop, args=(10,))
        stopper.start()
        running.ingest.hold.set()
        sender.join(10)
        stopper.join(10)
        assert statuses == [0x0000]
        wait_until(lambda: association.is_aborted)


def test_stopping_cuts_what_does_not_end_in_time(tmp_path):
    with receiving(tmp_path / "in") as running, connect(running.port) as sock:
        sock.sendall(association_request())
        assert read_pdu(sock)[0] == 0x02
        store = threading.Thread(target=running.receiver.stop, args=(0.1,))
        store.start()
        store.join(10)
        assert not store.is_alive()
        assert read_to_end(sock)[:1] in (b"\x07", b"")


def test_no_new_connection_is_taken_after_stopping(tmp_path):
    with receiving(tmp_path / "in") as running:
        running.receiver.stop(0)
        with pytest.raises(ConnectionRefusedError):
            connect(running.port)


def test_a_port_that_is_taken_is_an_error_at_the_start(tmp_path):
    with (
        receiving(tmp_path / "in") as running,
        pytest.raises(CannotListen, match="in use"),
        receiving(tmp_path / "other", port=running.port),
    ):
        pass


# --- what the log says ---------------------------------------------------------------------------


def test_the_log_has_one_line_per_outcome_and_nothing_of_the_patient(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with capture_logs() as lines, receiving(tmp_path / "in") as running:
        with associated(running.port) as association:
            send(association, path)
        wait_until(lambda: lines[-1]["event"] == "association closed")
        opened, closed = lines[-2:]
    assert opened["event"] == "association opened"
    assert opened["calling_aet"] == "MODALITY"
    assert (closed["ending"], closed["stored"]) == ("released", 1)
    assert closed["bytes"] == len(data_set_of(path))
    assert "SECRET" not in str(lines)
