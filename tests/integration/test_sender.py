"""The sender, against pynetdicom's SCP and against peers that misbehave."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dimse_support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    J2K,
    VERIFICATION,
    data_set_of,
    read_pdu,
    receiving,
    storage_scp,
)
from images import make_ct
from pydicom.dataset import Dataset
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ
from structlog.testing import capture_logs
from waiting import wait_until

from gateway.config.models import Destination
from gateway.dimse.contexts import Context
from gateway.dimse.files import echo, send_files
from gateway.dimse.sender import open_association
from gateway.errors import (
    AssociationRejected,
    InstanceUnreadable,
    NoAcceptableSyntax,
    RemoteRefused,
    RemoteUnreachable,
)

CONTEXTS = [Context(CT, EXPLICIT), Context(CT, IMPLICIT), Context(VERIFICATION, IMPLICIT)]


def destination(port: int, **settings: object) -> Destination:
    values = {"aet": "ARCHIVE", "host": "127.0.0.1", "port": port, **settings}
    return Destination.model_validate(values)


@contextmanager
def associated_with(port: int, contexts: list[Context] = CONTEXTS, **settings: object) -> Iterator:
    association = open_association(
        destination(port, **settings), calling_aet="GATEWAY", contexts=contexts
    )
    try:
        yield association
    finally:
        association.release()


@contextmanager
def misbehaving(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """A peer that does `behave` with its first connection, and then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.settimeout(20)
            with connection:
                behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(20)
            assert not thread.is_alive()


def accept_all(connection: socket.socket) -> None:
    """Answer the A-ASSOCIATE-RQ of CONTEXTS: all accepted."""
    read_pdu(connection)
    items = b""
    for number, context in enumerate(CONTEXTS):
        uid = context.transfer_syntax_uid.encode()
        syntax = b"\x40\0" + len(uid).to_bytes(2, "big") + uid
        value = bytes((2 * number + 1, 0, 0, 0)) + syntax
        items += b"\x21\0" + len(value).to_bytes(2, "big") + value
    name = b"1.2.840.10008.3.1.1.1"
    items += b"\x10\0" + len(name).to_bytes(2, "big") + name
    user = b"\x51\0\0\x04" + (16384).to_bytes(4, "big") + b"\x52\0\0\x051.2.3"
    items += b"\x50\0" + len(user).to_bytes(2, "big") + user
    body = b"\0\x01\0\0" + b"ARCHIVE".ljust(16) + b"GATEWAY".ljust(16) + bytes(32) + items
    connection.sendall(b"\x02\0" + len(body).to_bytes(4, "big") + body)


# --- storing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("maximum_pdu_size", [0, 4096, 16384, 131072])
@pytest.mark.parametrize("pixel_bytes", [2, 16384, 300_000])
def test_what_arrives_is_the_file_s_data_set_byte_for_byte(tmp_path, pixel_bytes, maximum_pdu_size):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=pixel_bytes)
    with (
        storage_scp(maximum_pdu_size=maximum_pdu_size) as (port, received),
        associated_with(port) as association,
    ):
        association.store(path)
    assert received[0][1] == data_set_of(path)
    assert received[0][0].transfer_syntax == EXPLICIT


def test_several_files_go_over_one_association_and_no_thread_stays(tmp_path):
    paths = [make_ct(tmp_path / f"{number}.dcm") for number in range(5)]
    before = set(threading.enumerate())
    with storage_scp() as (port, received), associated_with(port) as association:
        for path in paths:
            association.store(path)
        assert association.is_alive
    assert [data for _, data in received] == [data_set_of(path) for path in paths]
    # The peer's own threads end a moment after the association.
    wait_until(lambda: set(threading.enumerate()) <= before)


def test_what_the_peer_accepts_is_known_by_sop_class():
    with (
        storage_scp(contexts=[(CT, [IMPLICIT, J2K])]) as (port, _),
        associated_with(port, [*CONTEXTS, Context(CT, J2K)]) as association,
    ):
        assert association.accepted(CT) == {IMPLICIT, J2K}
        assert association.accepted(VERIFICATION) == frozenset()


def test_a_file_is_never_sent_in_another_syntax_than_its_own(tmp_path):
    path = make_ct(tmp_path / "a.dcm", syntax=J2K)
    with storage_scp() as (port, received), associated_with(port) as association:
        with pytest.raises(NoAcceptableSyntax, match="JPEG2000Lossless"):
            association.store(path)
        assert association.is_alive
    assert received == []


def test_a_refusal_has_its_status_and_leaves_the_association_usable(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    statuses = iter([0xA700, 0x0000])
    with (
        storage_scp(status=lambda event: next(statuses)) as (port, received),
        associated_with(port) as association,
    ):
        with pytest.raises(RemoteRefused) as refusal:
            association.store(path)
        association.store(path)
    assert refusal.value.dimse_status == 0xA700
    assert len(received) == 2


def test_the_peer_s_comment_is_for_the_queue_and_not_for_the_log(tmp_path):
    answer = Dataset()
    answer.Status, answer.ErrorComment = 0xC123, "no such study"
    path = make_ct(tmp_path / "a.dcm")
    with (
        storage_scp(status=lambda event: answer) as (port, _),
        associated_with(port) as association,
        pytest.raises(RemoteRefused, match=r"0xC123$") as refused,
    ):
        association.store(path)
    assert refused.value.detail.endswith("0xC123: no such study")


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007])
def test_a_warning_is_success_and_logged(tmp_path, status):
    path = make_ct(tmp_path / "a.dcm")
    with (
        storage_scp(status=status) as (port, _),
        capture_logs() as lines,
        associated_with(port) as association,
    ):
        association.store(path)
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert line["status"] == f"0x{status:04X}"


def test_a_file_that_is_no_dicom_file_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"no DICOM file at all")
    with storage_scp() as (port, _), associated_with(port) as association:
        with pytest.raises(InstanceUnreadable):
            association.store(path)
        with pytest.raises(InstanceUnreadable):
            association.store(tmp_path / "missing.dcm")
        assert association.is_alive


def test_our_own_receiver_is_a_fine_destination(tmp_path):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=600_000)
    with receiving(tmp_path / "in") as running:
        with associated_with(running.port) as association:
            association.store(path)
            association.echo()
        assert running.ingest.kept[0].data == data_set_of(path)


# --- associating ---------------------------------------------------------------------------------


def test_a_port_where_nobody_listens_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RemoteUnreachable, match="refused"), associated_with(port):
        pass


def test_a_host_that_does_not_exist_is_unreachable():
    with pytest.raises(RemoteUnreachable), associated_with(104, host="host.invalid"):
        pass


def test_a_peer_that_does_not_answer_is_unreachable_after_the_acse_timeout():
    gone = threading.Event()
    with misbehaving(lambda connection: gone.wait(20)) as port:
        with (
            pytest.raises(RemoteUnreachable, match=r"0\.2 s"),
            associated_with(port, acse_timeout_s=0.2),
        ):
            pass
        gone.set()


def test_a_rejection_says_why():
    def reject(connection: socket.socket) -> None:
        read_pdu(connection)
        pdu = A_ASSOCIATE_RJ()
        pdu.result, pdu.source, pdu.reason_diagnostic = 1, 1, 7
        connection.sendall(pdu.encode())

    with (
        misbehaving(reject) as port,
        pytest.raises(AssociationRejected, match="Called AE title not recognised"),
        associated_with(port),
    ):
        pass


def test_a_peer_that_accepts_no_context_has_rejected_us():
    with (
        storage_scp(contexts=[("1.2.840.10008.5.1.4.1.1.4", [EXPLICIT])]) as (port, _),
        pytest.raises(NoAcceptableSyntax, match="no presentation context"),
        associated_with(port),
    ):
        pass


def test_what_is_no_dicom_peer_is_unreachable():
    with (
        misbehaving(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as port,
        pytest.raises(RemoteUnreachable),
        associated_with(port),
    ):
        pass


# --- when the peer goes away -----------------------------------------------------------------


def die(connection: socket.socket) -> None:
    accept_all(connection)
    read_pdu(connection)


def abort(connection: socket.socket) -> None:
    accept_all(connection)
    read_pdu(connection)
    pdu = A_ABORT_RQ()
    pdu.source, pdu.reason_diagnostic = 2, 0
    connection.sendall(pdu.encode())
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("behave", [die, abort], ids=["closes", "aborts"])
def test_a_peer_that_goes_in_the_middle_of_an_image_is_unreachable(tmp_path, behave):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=30_000_000)
    with misbehaving(behave) as port, associated_with(port) as association:
        with pytest.raises(RemoteUnreachable):
            association.store(path)
        assert not association.is_alive


def test_a_peer_that_never_answers_is_unreachable_after_the_dimse_timeout(tmp_path):
    path = make_ct(tmp_path / "a.dcm")

    def read_only(connection: socket.socket) -> None:
        accept_all(connection)
        while connection.recv(65536):
            pass

    with (
        misbehaving(read_only) as port,
        associated_with(port, dimse_timeout_s=0.2) as association,
        pytest.raises(RemoteUnreachable, match=r"no response in 0\.2 s"),
    ):
        association.store(path)


def test_a_peer_that_stops_reading_is_unreachable_after_the_dimse_timeout(tmp_path):
    path = make_ct(tmp_path / "a.dcm", pixel_bytes=30_000_000)
    gone = threading.Event()

    def stall(connection: socket.socket) -> None:
        accept_all(connection)
        gone.wait(20)

    with misbehaving(stall) as port, associated_with(port, dimse_timeout_s=0.3) as association:
        with pytest.raises(RemoteUnreachable, match="timed out"):
            association.store(path)
        gone.set()


def test_an_association_that_the_peer_closed_meanwhile_is_not_alive():
    with misbehaving(accept_all) as port, associated_with(port) as association:
        wait_until(lambda: not association.is_alive)


def test_an_association_is_not_alive_after_release():
    with storage_scp() as (port, _):
        with associated_with(port) as association:
            pass
        assert not association.is_alive


def test_release_does_not_wait_for_longer_than_the_acse_timeout():
    gone = threading.Event()

    def ignore(connection: socket.socket) -> None:
        accept_all(connection)
        gone.wait(20)

    with misbehaving(ignore) as port:
        with associated_with(port, acse_timeout_s=0.3):
            pass
        gone.set()


# --- sending files by hand -----------------------------------------------------------------------


def test_each_file_has_a_result_of_its_own(tmp_path):
    good = make_ct(tmp_path / "good.dcm")
    bare = tmp_path / "bare.dcm"
    bare.write_bytes(data_set_of(good))
    unwelcome = make_ct(tmp_path / "unwelcome.dcm", syntax=J2K)
    results: dict[Path, object] = {}
    with storage_scp() as (port, received):
        count = send_files(
            [good, bare, unwelcome],
            "127.0.0.1",
            port,
            called_aet="ARCHIVE",
            calling_aet="ME",
            on_result=results.__setitem__,
        )
    assert count == len(received) == 1
    assert results[good] is None
    assert isinstance(results[bare], InstanceUnreadable)
    assert isinstance(results[unwelcome], NoAcceptableSyntax)


def test_no_readable_file_means_no_association():
    results: dict[Path, object] = {}
    assert (
        send_files(
            [Path("missing")],
            "127.0.0.1",
            1,
            called_aet="A",
            calling_aet="B",
            on_result=results.__setitem__,
        )
        == 0
    )
    assert isinstance(results[Path("missing")], InstanceUnreadable)


def test_an_echo_that_is_answered_says_nothing_and_another_raises():
    with storage_scp() as (port, _):
        echo("127.0.0.1", port, called_aet="ARCHIVE", calling_aet="ME")
    with pytest.raises(RemoteUnreachable):
        echo("127.0.0.1", port, called_aet="ARCHIVE", calling_aet="ME")
