"""The HTTP server with clients of all kinds: fast, slow, secure, confused and hostile."""

import gzip
import hashlib
import ssl
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO

import httpx
import pytest
from http_support import connect, exchange, http_client, http_server, read_to_end
from structlog.testing import capture_logs
from waiting import wait_until
from werkzeug import Response

from gateway.config.models import Http
from gateway.errors import CannotListen
from gateway.rest import connection as connection_module
from gateway.rest import pace
from gateway.rest import server as server_module
from gateway.rest.answers import json_answer
from gateway.rest.application import Application, origin_of
from gateway.rest.file_answer import file_answer
from gateway.rest.routes import Route
from gateway.rest.server import HttpServer

LARGE = [{"number": number} for number in range(1000)]


def digest(request):
    """Reads the body as a handler of uploads does: a piece at a time."""
    found, size = hashlib.sha256(), 0
    while piece := request.stream.read(65536):
        found.update(piece)
        size += len(piece)
    return json_answer({"sha256": found.hexdigest(), "size": size})


def pieces(request):
    return Response((b"piece %d\n" % n for n in range(1000)), content_type="text/plain")


def dicom_file(request, path):
    return file_answer(request, path, "application/dicom", name=path.name, tag="1")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The path of a file that /file answers."""
    path = tmp_path_factory.mktemp("served") / "image.dcm"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


@pytest.fixture(scope="module")
def routes(served):
    return [
        Route("GET", "/ping", lambda request: Response("pong")),
        Route("GET", "/healthz", lambda request: Response("ok\n")),
        Route("GET", "/large", lambda request: json_answer(LARGE)),
        Route("GET", "/small", lambda request: json_answer({"a": 1})),
        Route("GET", "/pieces", pieces),
        Route("GET", "/file", lambda request: dicom_file(request, served)),
        Route("POST", "/digest", digest),
        Route("POST", "/unread", lambda request: Response("not read")),
        Route("GET", "/who", lambda request: Response(origin_of(request).username)),
        Route("GET", "/ip", lambda request: Response(origin_of(request).remote_ip)),
    ]


@pytest.fixture(scope="module")
def port(routes):
    """One server for all who do not ask for it in another way: it serves whatever came before."""
    with http_server(routes) as port:
        yield port


@pytest.fixture
def client(port):
    with http_client(port) as client:
        yield client


def still_serves(port):
    assert exchange(port, b"GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n").endswith(b"pong")


# --- connections ---------------------------------------------------------------------------------


def test_requests_in_one_go_are_answered_in_their_order(port):
    requests = b"".join(b"GET /%s HTTP/1.1\r\n\r\n" % name for name in (b"ping", b"healthz") * 20)
    answers = exchange(port, requests + b"GET /ip HTTP/1.1\r\nConnection: close\r\n\r\n")
    bodies = [answer.rpartition(b"\r\n\r\n")[2] for answer in answers.split(b"HTTP/1.1 200 OK")]
    assert bodies[1:] == [b"pong", b"ok\n"] * 20 + [b"127.0.0.1"]


def test_a_body_is_followed_by_the_next_request(port):
    request = b"POST /digest HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
    answers = exchange(port, request + b"GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert hashlib.sha256(b"hello").hexdigest().encode() in answers
    assert answers.endswith(b"pong")


@pytest.mark.parametrize("size", [0, 10, 200_000])
def test_a_body_that_nobody_read_is_out_of_the_way(client, size):
    for _ in range(3):
        assert client.post("/unread", content=bytes(size)).text == "not read"
        assert client.post("/unread", content=iter([bytes(size)])).text == "not read"


def test_a_large_body_that_nobody_wants_is_not_read_to_its_end(port):
    with connect(port) as client:
        client.sendall(b"POST /nowhere HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n")
        answered = threading.Event()
        sender = threading.Thread(target=send_until, args=(client, answered), daemon=True)
        sender.start()
        answer = read_to_end(client)
        answered.set()
        sender.join(10)
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"Connection: close" in answer
    still_serves(port)


def send_until(client, answered):
    try:
        while not answered.is_set():
            client.sendall(bytes(65536))
    except OSError:
        return


def test_an_answer_of_many_small_pieces_is_sent_in_few_packets(port):
    with connect(port) as client:
        client.sendall(b"GET /pieces HTTP/1.1\r\nConnection: close\r\n\r\n")
        first = client.recv(65536)
        assert b"\r\n\r\n" in first
        assert b"piece 999" in first + read_to_end(client)
        assert first.count(b"piece") > 100


def test_an_answer_that_fails_in_the_middle_is_cut_off_where_it_failed():
    def broken():
        yield b"a beginning"
        raise OSError("the disk is gone")

    route = Route("GET", "/broken", lambda request: Response(broken()))
    with http_server([route]) as port, capture_logs() as lines:
        answer = exchange(port, b"GET /broken HTTP/1.1\r\n\r\n")
    assert b"a beginning" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert [line["event"] for line in lines] == ["http server trouble"]


# --- uploads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_does_not_sit_in_memory(client, chunked):
    import tracemalloc

    piece, count = bytes(range(256)) * 4096, 64
    expected = hashlib.sha256(piece * count).hexdigest()
    headers = {} if chunked else {"Content-Length": str(len(piece) * count)}
    tracemalloc.start()
    try:
        found = client.post(
            "/digest", content=(piece for _ in range(count)), headers=headers, timeout=60
        ).json()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert found == {"sha256": expected, "size": len(piece) * count}


def test_a_body_above_the_limit_is_refused_before_it_is_sent(routes):
    with http_server(routes, maximum_body_mb=1) as port:
        answer = exchange(port, b"POST /digest HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        with http_client(port) as client:
            assert client.post("/digest", content=bytes(1 << 20)).status_code == 200
            assert client.post("/digest", content=iter([bytes(1 << 20)])).status_code == 200
            chunks = iter([bytes(1 << 20), b"x"])
            assert client.post("/digest", content=chunks).status_code == 413


def test_a_client_that_goes_away_in_the_middle_is_no_fault_of_ours(routes):
    ended = []

    def upload(request):
        try:
            return digest(request)
        except BaseException as exc:
            ended.append(type(exc).__name__)
            raise

    with http_server([Route("POST", "/upload", upload)]) as port, capture_logs() as lines:
        for head in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
            with connect(port) as client:
                client.sendall(b"POST /upload HTTP/1.1\r\n" + head + b"\r\n\r\n5\r\nabcde\r\n")
        wait_until(lambda: len(ended) == 2)
    assert ended == ["ClientDisconnected"] * 2
    assert lines == []


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"-5\r\nhello\r\n", b"5\r\nhello!!\r\n0\r\n\r\n", b"0x5\r\nhello\r\n", b"\r\n" * 9],
)
def test_chunks_that_are_none_are_a_bad_request(port, body):
    head = b"POST /digest HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(port, head + body).startswith(b"HTTP/1.1 400 ")
    still_serves(port)


# --- slow clients --------------------------------------------------------------------------------


def test_two_hundred_slow_clients_do_not_delay_others(port):
    """Half dribble their headers, half their bodies; each holds a thread while it does."""
    heads = [b"GET /ping HTTP/1.1\r\nX: ", b"POST /digest HTTP/1.1\r\nContent-Length: 99\r\n\r\n"]
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(port)) for _ in range(200)]
        for number, client in enumerate(slow):
            client.sendall(heads[number % 2])
        with http_client(port, timeout=5) as client:
            for _ in range(10):
                for each in slow:
                    each.sendall(b"x")
                assert client.get("/ping").text == "pong"


def test_a_byte_now_and_then_does_not_prolong_our_patience(routes, monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", 0.4)
    monkeypatch.setattr(connection_module, "_PARTING_S", 30)  # we may be slow to read the answer
    with http_server(routes) as port, connect(port) as client:
        began = time.monotonic()
        client.sendall(b"GET /ping HTTP/1.1\r\nX: ")
        client.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - began < 8:
            client.sendall(b"x")
            try:
                answer = client.recv(100)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_used_up_the_last_of_our_patience_is_told_so(routes, monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", 0)
    with http_server(routes) as port:
        assert exchange(port, b"GET /ping HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 408 ")


def test_a_steady_client_may_take_long(routes, monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", 0.4)
    monkeypatch.setattr(pace, "SLOWEST_BYTES_PER_S", 100)
    ticker = threading.Event()
    with http_server(routes) as port, connect(port) as client:
        client.sendall(b"POST /digest HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(10):
            client.sendall(bytes(100))
            ticker.wait(0.1)  # the pace of the client is what is tested
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_not_take_its_answer_is_cut_off(monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", 0.3)
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield bytes(1 << 20)
        finally:
            closed.set()

    route = Route("GET", "/endless", lambda request: Response(endless()))
    with http_server([route]) as port, connect(port) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\n\r\n")
        assert closed.wait(10)


def test_the_server_stops_although_a_handler_does_not_end(monkeypatch):
    monkeypatch.setattr(server_module, "_SHUTDOWN_TIMEOUT_S", 0.2)
    release, entered = threading.Event(), threading.Event()
    before = set(threading.enumerate())

    def wait(request):
        entered.set()
        release.wait(30)
        return Response("late")

    server = HttpServer(Http(port=0), Application([Route("GET", "/wait", wait)]))
    port = server.start()
    with connect(port) as client, capture_logs() as lines:
        client.sendall(b"GET /wait HTTP/1.1\r\n\r\n")
        assert entered.wait(10)
        server.stop()
        assert [line["event"] for line in lines] == ["requests did not end in time"]
        release.set()
    wait_until(lambda: set(threading.enumerate()) <= before)


# --- files ---------------------------------------------------------------------------------------


def test_a_file_is_sent_as_it_is(client, served):
    response = client.get("/file", headers={"Accept-Encoding": "gzip"})
    assert response.content == served.read_bytes()
    assert response.headers["Content-Type"] == "application/dicom"
    assert "Content-Encoding" not in response.headers
    assert response.headers["Accept-Ranges"] == "bytes"


def test_head_tells_the_length_of_a_file(client, served):
    response = client.head("/file")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Content-Length"] == str(served.stat().st_size)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=255900-", 255900, 256000), ("bytes=-16", 255984, 256000),
     ("bytes=255990-999999", 255990, 256000)],
)  # fmt: skip
def test_a_part_of_a_file_is_a_206(client, served, asked, start, end):
    response = client.get("/file", headers={"Range": asked})
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/256000"
    assert response.content == served.read_bytes()[start:end]


def test_a_part_behind_the_end_is_a_416(client):
    response = client.get("/file", headers={"Range": "bytes=256000-"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */256000"


@pytest.mark.parametrize("asked", ["bytes=abc", "lines=1-2", "bytes=5-2", "bytes="])
def test_a_range_that_is_none_is_no_harm(client, asked):
    assert client.get("/file", headers={"Range": asked}).status_code in (200, 416)


# --- compression ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("deflate", "deflate"), ("br, deflate;q=0.5, gzip;q=0.1", "gzip"),
     ("identity", None), ("gzip;q=0", None), ("*", "gzip"), ("", None)],
)  # fmt: skip
def test_large_answers_are_compressed_for_who_accepts_it(client, accepted, coding):
    with client.stream("GET", "/large", headers={"Accept-Encoding": accepted}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers.get("Content-Encoding") == coding
    plain = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}[coding](raw)
    assert plain == json_answer(LARGE).data
    assert "Accept-Encoding" in response.headers["Vary"]


def test_small_answers_are_not_worth_compressing(client):
    assert "Content-Encoding" not in client.get("/small").headers


def test_answers_in_pieces_are_compressed_as_they_come(client):
    response = client.get("/pieces")
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.text.endswith("piece 999\n")


def test_a_site_can_do_without_compression(routes):
    with http_server(routes, compression=False) as port, http_client(port) as client:
        response = client.get("/large")
    assert "Content-Encoding" not in response.headers


# --- who may ask ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(routes):
    """A client of a server that knows its users."""
    users = {"alice": "secret", "bob": "pass:wörd"}
    with http_server(routes, users=users) as port, http_client(port) as client:
        yield client


@pytest.mark.parametrize(
    "auth",
    [None, ("alice", "wrong"), ("alice", ""), ("", ""), ("eve", "secret"), ("ALICE", "secret")],
)
def test_who_has_not_signed_in_is_asked_to(guarded, auth):
    response = guarded.get("/ping", auth=auth)
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("header", ["Basic !!!", "Basic", "Bearer x", "Basic YQ==", "basic \xff"])
def test_credentials_that_are_none_are_no_credentials(guarded, header):
    sent = {"Authorization": header.encode("latin-1")}
    assert guarded.get("/ping", headers=sent).status_code == 401


@pytest.mark.parametrize("auth", [("alice", "secret"), ("bob", "pass:wörd")])
def test_who_has_signed_in_is_known_by_name(guarded, auth):
    assert guarded.get("/who", auth=auth).text == auth[0]


def test_nobody_chooses_a_name_by_a_header(guarded):
    forged = {"Remote-User": "alice"}
    assert guarded.get("/who", headers=forged).status_code == 401
    assert guarded.get("/who", headers=forged, auth=("bob", "pass:wörd")).text == "bob"
    assert guarded.get("/who", headers={"REMOTE_USER": "alice"}).status_code == 400


def test_whether_it_lives_is_told_to_everybody(guarded):
    assert guarded.get("/healthz").status_code == 200


def test_a_page_of_another_site_changes_nothing(client):
    forged = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/digest", headers=forged).status_code == 403
    assert client.get("/ping", headers=forged).status_code == 200
    assert client.post("/digest", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_answers_carry_headers_that_protect(client):
    for path in ("/ping", "/nowhere", "/file"):
        assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


# --- HTTPS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure(routes, certificate):
    with http_server(routes, certificate=certificate[0], private_key=certificate[1]) as port:
        yield port


def trusting(certificate):
    return httpx.Client(verify=ssl.create_default_context(cafile=str(certificate[0])))


def test_https_is_spoken_with_a_certificate(secure, certificate, served):
    with trusting(certificate) as client:
        for _ in range(3):
            assert client.get(f"https://localhost:{secure}/file").content == served.read_bytes()
        sent = bytes(300_000)
        found = client.post(f"https://localhost:{secure}/digest", content=sent).json()
    assert found["sha256"] == hashlib.sha256(sent).hexdigest()


def test_plain_http_and_silence_do_not_keep_others_from_https(secure, certificate):
    with ExitStack() as stack, capture_logs() as lines:
        for _ in range(50):
            stack.enter_context(connect(secure))
        for _ in range(20):
            stack.enter_context(connect(secure)).sendall(b"\x16\x03\x01\x02")
        assert b"200 OK" not in exchange(secure, b"GET /ping HTTP/1.1\r\n\r\n")
        with trusting(certificate) as client:
            assert client.get(f"https://localhost:{secure}/ping", timeout=5).text == "pong"
    assert lines == []


def test_old_tls_is_refused(secure):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with connect(secure) as plain, pytest.raises(OSError):
        context.wrap_socket(plain)


def test_a_certificate_that_cannot_be_used_is_said_in_one_line(tmp_path, certificate):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    settings = Http(port=0, certificate=wrong, private_key=certificate[1])
    with pytest.raises(CannotListen, match="cannot listen on "):
        HttpServer(settings, Application(())).start()


# --- what is no request --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: -1",
        b"Content-Length: 5x",
        b"Content-Length: +5",
        b"Content-Length: 1_0",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length : 5",
        b"X: a\r\n continued",
        b"X: a\0b",
        b"X: a\rb",
        b"no colon",
        b": no name",
        b"A Name: x",
        b"X_Y: underscore",
        b"Host: a\r\nHost: b",
        b"Authorization: a\r\nAuthorization: b",
    ],
)
def test_headers_that_can_be_read_in_two_ways_are_refused(port, headers):
    request = b"POST /digest HTTP/1.1\r\n" + headers + b"\r\n\r\nhello"
    answer = exchange(port, request)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    still_serves(port)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET  /ping HTTP/1.1",
        b"GET /ping",
        b"get /ping HTTP/1.1",
        b"GET http://other.example/ping HTTP/1.1",
        b"GET ping HTTP/1.1",
        b"GET /ping HTTP/2.0",
        b"GET /ping HTTP/1.x",
        b"\x16\x03\x01\x02\x00",
        b"GET /\xff\xfe HTTP/1.1",
        b"GET /%00 HTTP/1.1",
        b"GET /../../etc/passwd HTTP/1.1",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
        b"GET /file/..%2f..%2fetc%2fpasswd HTTP/1.1",
        b"GET //ping HTTP/1.1",
        b"GET /%zz HTTP/1.1",
        b"GET /ping%0d%0aX:%20injected HTTP/1.1",
        b"CONNECT example.com:80 HTTP/1.1",
        b"TRACE /ping HTTP/1.1",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1",
    ],
)
def test_what_asks_for_nothing_of_ours_is_a_4xx(port, request_line):
    with capture_logs() as lines:
        answer = exchange(port, request_line + b"\r\nConnection: close\r\n\r\n")
    status = answer.split(b" ", 2)[1]
    assert status[:1] == b"4" or status in (b"501", b"505")
    assert b"root:" not in answer
    assert b"injected" not in answer.partition(b"\r\n\r\n")[0]
    assert lines == []
    still_serves(port)


def test_more_than_64_kb_of_headers_are_refused(port):
    headers = b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(70))
    assert b" 413 " in exchange(port, b"GET /ping HTTP/1.1\r\n" + headers + b"\r\n")[:20]


def test_fifty_clients_at_once_get_each_its_own_answer(port):
    def ask(number):
        sent = b"%d" % number * 1000
        head = b"POST /digest HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
            sent
        )
        return hashlib.sha256(sent).hexdigest().encode() in exchange(port, head + sent)

    with ThreadPoolExecutor(50) as clients:
        assert all(clients.map(ask, range(500)))


def test_a_file_is_closed_whoever_asks_for_it_and_how(served):
    opened = []

    def answer(request):
        opened.append(BytesIO(b"x" * 10))
        return Response(opened[-1])

    with http_server([Route("GET", "/f", answer)]) as port, http_client(port) as client:
        for method in ("GET", "HEAD"):
            client.request(method, "/f")
    assert [each.closed for each in opened] == [True, True]
