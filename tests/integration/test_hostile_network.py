"""What strangers and broken devices send: a clean end each, a log line, nothing left behind."""

import gc
import random
import resource
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from dimse_support import (
    CT,
    Running,
    associated,
    association_request,
    connect,
    read_pdu,
    read_to_end,
    receiving,
)
from images import make_ct
from pydicom import dcmread
from pynetdicom.dimse_messages import C_FIND_RQ
from pynetdicom.dimse_primitives import C_FIND
from structlog.testing import capture_logs
from waiting import wait_until

from gateway.dimse import crowd

A_ABORT = 0x07
STATUS = b"\0\0\0\x09\x02\0\0\0"  # (0000,0900), two bytes
GIGABYTES_4 = 0xFFFFFFF0


def pdv(fragment: bytes, *, context_id: int = 1, command: bool = False, last: bool = True) -> bytes:
    control = (1 if command else 0) | (2 if last else 0)
    item = struct.pack(">IBB", len(fragment) + 2, context_id, control) + fragment
    return struct.pack(">BxI", 4, len(item)) + item


def store_command(sop_instance_uid: str = "1.2.3", sop_class_uid: str = CT) -> bytes:
    """The command set of a C-STORE-RQ, whatever its UIDs are."""
    elements = [
        (0x0002, sop_class_uid.encode()),
        (0x0100, struct.pack("<H", 1)),
        (0x0110, struct.pack("<H", 7)),
        (0x0700, struct.pack("<H", 0)),
        (0x0800, struct.pack("<H", 1)),
        (0x1000, sop_instance_uid.encode()),
    ]
    padded = [(tag, value + b"\0" * (len(value) % 2)) for tag, value in elements]
    body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in padded)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def established(stack: ExitStack, running: Running, **request: object) -> socket.socket:
    sock = stack.enter_context(connect(running.port))
    sock.sendall(association_request(**request))
    assert read_pdu(sock)[0] == 0x02
    return sock


def status_in(response: bytes) -> int:
    return struct.unpack_from("<H", response, response.index(STATUS) + len(STATUS))[0]


def still_serves(running: Running, path: Path) -> None:
    """A modality is not disturbed by what happened before."""
    with associated(running.port) as association:
        assert association.send_c_store(dcmread(path)).Status == 0
    wait_until(lambda: running.counted("gateway_open_associations") == 0)
    assert running.ingest.leftovers == []


# --- before an association -------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        random.Random(1).randbytes(4096),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        bytes(1000),
        b"\x01\0\0\0\0\x10" + bytes(16),
        b"\x01\0\0\0\x01\0" + bytes(range(256)),
        association_request()[:-1] + b"\xff",
        b"\x04\0\0\0\0\x06" + b"\0\0\0\x02\x01\x03",
        b"\x05\0\0\0\0\x04" + bytes(4),
    ],
    ids=["random", "http", "tls", "zeros", "short", "items", "spoilt", "data", "release"],
)
def test_what_is_no_association_request_is_aborted_with_one_line(tmp_path, garbage):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, connect(running.port) as sock:
        with capture_logs() as lines:
            sock.sendall(garbage)
            with suppress(ConnectionResetError):
                answer = read_to_end(sock)
                assert answer[0] == A_ABORT
            wait_until(lambda: lines)
            time_of_second_line = [line for line in lines if line["log_level"] != "info"]
            assert [line["event"] for line in time_of_second_line] == ["no association"]
        still_serves(running, path)


def test_half_a_request_is_given_up_when_the_peer_hangs_up(tmp_path):
    with receiving(tmp_path / "in") as running, capture_logs() as lines:
        with connect(running.port) as sock:
            sock.sendall(association_request()[:100])
        wait_until(lambda: lines)
        assert lines[0]["event"] == "no association"


def test_a_connection_that_says_nothing_is_closed(tmp_path):
    with receiving(tmp_path / "in", acse_timeout_s=0.2) as running, capture_logs() as lines:
        with connect(running.port) as sock:
            assert read_to_end(sock) == b""
        wait_until(lambda: lines)
        assert (lines[0]["event"], lines[0]["reason"]) == (
            "no association",
            "said nothing for 0.2 s",
        )


def test_a_byte_now_and_then_does_not_prolong_the_time_for_the_request(tmp_path):
    with receiving(tmp_path / "in", acse_timeout_s=0.5) as running, connect(running.port) as sock:
        started = time.monotonic()
        with suppress(ConnectionError, socket.timeout):
            for byte in association_request():
                sock.sendall(bytes((byte,)))
                sock.settimeout(0.1)
                with suppress(TimeoutError):
                    if not sock.recv(16):
                        break
        assert time.monotonic() - started < 10  # byte by byte it would take twice that


def test_a_request_that_claims_four_gigabytes_is_refused_by_its_header(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running:
        with connect(running.port) as sock:
            sock.sendall(struct.pack(">BxI", 1, GIGABYTES_4))
            assert read_to_end(sock)[0] == A_ABORT
        still_serves(running, path)


def test_a_request_with_ten_thousand_syntaxes_does_not_keep_us_busy(tmp_path):
    uid = b"1.2.3"
    item = b"\x40\0" + len(uid).to_bytes(2, "big") + uid
    syntaxes = item * 7000
    abstract = b"\x30\0\0\x051.2.4"
    context = bytes((1, 0, 0, 0)) + abstract + syntaxes
    request = association_request()
    body = request[6:] + b"\x20\0" + len(context).to_bytes(2, "big") + context
    with receiving(tmp_path / "in") as running, connect(running.port) as sock:
        before = time.thread_time()
        sock.sendall(b"\x01\0" + len(body).to_bytes(4, "big") + body)
        started = time.monotonic()
        read_pdu(sock)
        assert time.monotonic() - started < 5
        assert time.thread_time() - before < 5


# --- within an association -------------------------------------------------------------------


def test_data_that_claims_four_gigabytes_is_aborted_and_takes_no_memory(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, ExitStack() as stack:
        sock = established(stack, running)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        sock.sendall(struct.pack(">BxI", 4, GIGABYTES_4) + bytes(65536))
        assert read_to_end(sock)[0] == A_ABORT
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024
        still_serves(running, path)


def test_data_longer_than_we_announced_is_aborted(tmp_path):
    with receiving(tmp_path / "in", maximum_pdu_bytes=4096) as running, ExitStack() as stack:
        sock = established(stack, running)
        sock.sendall(pdv(bytes(8192)))
        assert read_to_end(sock)[0] == A_ABORT


@pytest.mark.parametrize(
    "pdus",
    [
        pdv(b"", command=True),
        pdv(random.Random(2).randbytes(200), command=True),
        pdv(store_command(), command=True, context_id=3),
        pdv(b"data before any command"),
        pdv(store_command(), command=True) + pdv(b"x", context_id=5),
        pdv(store_command(), command=True) + pdv(store_command(), command=True),
        pdv(bytes(4000), command=True, last=False) * 10,
        struct.pack(">BxI", 4, 8) + struct.pack(">IBB", 999, 1, 0) + b"ab",
        struct.pack(">BxI", 4, 3) + b"abc",
        struct.pack(">BxI", 9, 4) + bytes(4),
        association_request(),
        b"\x06\0\0\0\0\x04" + bytes(4),
    ],
    ids=[
        "empty command",
        "random command",
        "unknown context",
        "data first",
        "other context",
        "command for data",
        "endless command",
        "fragment too long",
        "fragment too short",
        "unknown type",
        "second request",
        "release response",
    ],
)
def test_what_breaks_the_protocol_is_aborted(tmp_path, pdus):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, ExitStack() as stack, capture_logs() as lines:
        sock = established(stack, running)
        sock.sendall(pdus)
        assert read_to_end(sock)[0] == A_ABORT
        wait_until(lambda: any(line["event"] == "association closed" for line in lines))
        (closed,) = [line for line in lines if line["event"] == "association closed"]
        assert closed["ending"] not in ("", "released", "aborted")
        assert running.ingest.kept == []
        still_serves(running, path)


@pytest.mark.parametrize(
    "last_words", [b"", b"\x07\0\0\0\0\x04\0\0\0\0", b"\x05\0\0\0\0\x04\0\0\0\0"]
)
def test_a_data_set_that_is_cut_off_is_discarded(tmp_path, last_words):
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, capture_logs() as lines:
        with ExitStack() as stack:
            sock = established(stack, running)
            sock.sendall(pdv(store_command(), command=True) + pdv(bytes(5000), last=False))
            assert running.ingest.writing.wait(10)
            sock.sendall(last_words)
        wait_until(lambda: any(line["event"] == "instance cut off" for line in lines))
        (line,) = [line for line in lines if line["event"] == "instance cut off"]
        assert (line["bytes"], line["sop_instance_uid"]) == (5000, "1.2.3")
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        assert (running.ingest.kept, running.ingest.leftovers) == ([], [])
        still_serves(running, path)


def test_half_a_pdu_of_data_is_discarded_after_the_dimse_timeout(tmp_path):
    with receiving(tmp_path / "in", dimse_timeout_s=0.2) as running, ExitStack() as stack:
        sock = established(stack, running)
        sock.sendall(pdv(store_command(), command=True) + pdv(bytes(5000))[:3000])
        assert read_to_end(sock)[:1] in (b"", bytes((A_ABORT,)))
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        assert (running.ingest.kept, running.ingest.leftovers) == ([], [])


@pytest.mark.filterwarnings("ignore:.*value.*VR.*UI:UserWarning")
@pytest.mark.parametrize(
    "uid",
    ["../../../../etc/passwd", "..", "/tmp/x", "1" * 300, "1.2.3\n4", "", "SECRET^NAME"],
    ids=["passwd", "up", "absolute", "long", "two lines", "empty", "name"],
)
def test_an_instance_uid_that_is_none_is_refused_and_goes_nowhere(tmp_path, uid):
    with receiving(tmp_path / "in") as running, ExitStack() as stack, capture_logs() as lines:
        sock = established(stack, running)
        sock.sendall(pdv(store_command(uid), command=True) + pdv(bytes(100)))
        assert status_in(read_pdu(sock)) == 0x0117
        # The association goes on.
        sock.sendall(pdv(store_command("1.2.3.4"), command=True) + pdv(bytes(100)))
        assert status_in(read_pdu(sock)) == 0x0000
        assert [kept.sop_instance_uid for kept in running.ingest.kept] == ["1.2.3.4"]
        (line,) = [line for line in lines if line["event"] == "instance refused"]
        assert line["status"] == "0x0117"
        assert "SECRET" not in str(lines)
        assert [kept.path.parent for kept in running.ingest.kept] == [tmp_path / "in"]
        assert running.ingest.leftovers == []


def test_a_sop_class_that_was_not_negotiated_is_refused(tmp_path):
    with receiving(tmp_path / "in") as running, ExitStack() as stack:
        sock = established(stack, running)
        command = store_command(sop_class_uid="1.2.840.10008.5.1.4.1.2.2.1")
        sock.sendall(pdv(command, command=True) + pdv(bytes(100)))
        assert status_in(read_pdu(sock)) == 0x0122


def test_a_query_on_a_storage_context_is_aborted(tmp_path):
    query = C_FIND()
    query.MessageID, query.Priority, query.AffectedSOPClassUID = 1, 2, CT
    message = C_FIND_RQ()
    message.primitive_to_message(query)
    (command,) = message.encode_msg(1, 16384)
    with receiving(tmp_path / "in") as running, ExitStack() as stack:
        sock = established(stack, running)
        sock.sendall(pdv(command.presentation_data_value_list[0][1][1:], command=True))
        assert read_to_end(sock)[0] == A_ABORT


# --- crowds ----------------------------------------------------------------------------------


def test_a_thousand_connections_at_once_neither_exhaust_us_nor_are_left_waiting(tmp_path):
    path = make_ct(tmp_path / "a.dcm")
    answers = []
    request = association_request()
    threads_before = threading.active_count()
    most_threads = 0
    with receiving(tmp_path / "in", maximum_associations=20) as running, ExitStack() as stack:
        socks = []
        for _ in range(1000):
            sock = stack.enter_context(connect(running.port))
            sock.sendall(request)
            socks.append(sock)
            most_threads = max(most_threads, threading.active_count())
        for sock in socks:
            answers.append(read_pdu(sock))
        assert sum(answer[:1] == b"\x02" for answer in answers) == 20
        rejections = [tuple(answer[7:10]) for answer in answers if answer[:1] == b"\x03"]
        assert rejections == [(2, 3, 2)] * 980
        assert most_threads - threads_before <= 20 + crowd.MAXIMUM_WAITING + 5
        stack.close()
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        still_serves(running, path)


def test_silent_connections_make_way_for_those_that_speak(tmp_path, monkeypatch):
    monkeypatch.setattr(crowd, "COURTESY_S", 0.1)
    path = make_ct(tmp_path / "a.dcm")
    with receiving(tmp_path / "in") as running, ExitStack() as stack:
        for _ in range(crowd.MAXIMUM_WAITING + 20):
            stack.enter_context(connect(running.port))
        still_serves(running, path)


def test_a_hundred_associations_that_were_cut_leave_no_memory_and_no_file(tmp_path):
    with receiving(tmp_path / "in") as running:

        def cut_one_off() -> None:
            with ExitStack() as stack:
                sock = established(stack, running)
                sock.sendall(pdv(store_command(), command=True) + pdv(bytes(100_000), last=False))

        for _ in range(20):
            cut_one_off()
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(100):
            cut_one_off()
        wait_until(lambda: running.counted("gateway_open_associations") == 0)
        wait_until(lambda: not running.ingest.leftovers)
        gc.collect()
        assert len(gc.get_objects()) - before < 5000


def test_a_peer_that_takes_no_pdu_worth_the_name_is_aborted(tmp_path):
    request = association_request()
    announced = b"\x51\0\0\x04" + (16384).to_bytes(4, "big")
    assert announced in request
    with receiving(tmp_path / "in") as running, connect(running.port) as sock:
        sock.sendall(request.replace(announced, b"\x51\0\0\x04" + (7).to_bytes(4, "big")))
        assert read_pdu(sock)[0] == 0x02
        sock.sendall(pdv(store_command(), command=True) + pdv(bytes(100)))
        assert read_to_end(sock)[0] == A_ABORT
