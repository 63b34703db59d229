"""Health and metrics over real HTTP, with well-behaved clients and others."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from http_support import connect, http_client

from gateway.config.models import Http
from gateway.errors import CannotListen
from gateway.metrics import Metrics
from gateway.rest.application import Application
from gateway.rest.health import health_routes
from gateway.rest.server import HttpServer


class Health:
    """A server with checks that a test can change."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.reasons: dict[str, str | None] = {"receiver": None, "index": None}
        self.tasks_parked = 0
        checks = {name: lambda name=name: self.reasons[name] for name in self.reasons}
        self.server = HttpServer(
            Http(port=0), Application(health_routes(checks, self.metrics, self.refresh))
        )
        self.port = self.server.start()

    def refresh(self) -> None:
        self.metrics.tasks.labels("parked").set(self.tasks_parked)


@pytest.fixture
def health():
    before = set(threading.enumerate())
    health = Health()
    yield health
    health.server.stop()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert set(threading.enumerate()) <= before, "stop() left a thread behind"


@pytest.fixture
def client(health):
    with http_client(health.port) as client:
        yield client


def test_a_living_gateway_says_ok(client):
    response = client.get("/healthz")
    assert (response.status_code, response.text) == (200, "ok\n")


def test_a_ready_gateway_says_so(client):
    response = client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "reasons": {}})


def test_a_gateway_that_is_not_ready_says_why(health, client):
    health.reasons["index"] = "the disk is full"
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "reasons": {"index": "the disk is full"}}


def test_a_gateway_becomes_ready_again(health, client):
    health.reasons["receiver"] = "not listening"
    assert client.get("/readyz").status_code == 503
    health.reasons["receiver"] = None
    assert client.get("/readyz").status_code == 200


def test_metrics_are_in_the_text_format_of_prometheus(health, client):
    health.metrics.forwarded.labels("archive").inc(3)
    response = client.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert 'gateway_forwarded_instances_total{destination="archive"} 3.0' in response.text


def test_openmetrics_is_given_to_whom_asks_for_it(client):
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


def test_gauges_are_set_anew_for_every_scrape(health, client):
    for parked in (7, 2):
        health.tasks_parked = parked
        assert f'gateway_tasks{{state="parked"}} {parked}.0' in client.get("/metrics").text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_head_answers_without_a_body(client, path):
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")


def test_an_unknown_path_is_answered_in_json(client):
    assert client.get("/patients").json()["HttpStatus"] == 404


def test_a_wrong_method_is_told_which_are_right(client):
    response = client.post("/healthz", content=b"x")
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_many_requests_go_over_one_connection(health):
    with connect(health.port) as connection, connection.makefile("rb") as answers:
        for _ in range(5):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n")
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            while answers.readline() != b"\r\n":
                pass
            assert answers.readline() == b"ok\n"


def test_fifty_clients_at_once_are_all_answered(health):
    together = threading.Barrier(50)

    def ask(_: int) -> int:
        with http_client(health.port, timeout=20) as client:
            together.wait(20)
            return client.get("/metrics").status_code

    with ThreadPoolExecutor(50) as clients:
        assert list(clients.map(ask, range(50))) == [200] * 50


def test_clients_that_hang_do_not_keep_others_from_an_answer(health, client):
    silent = [connect(health.port) for _ in range(50)]
    stuck = [connect(health.port) for _ in range(5)]
    for connection in stuck:
        connection.sendall(b"GET /healthz HTT")
    assert client.get("/healthz", timeout=5).status_code == 200
    for connection in silent + stuck:
        connection.close()


def test_a_client_that_hangs_does_not_keep_the_server_from_stopping(health):
    with connect(health.port) as stuck:
        stuck.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        health.server.stop()
    with pytest.raises(OSError, match="refused"):
        connect(health.port)


@pytest.mark.parametrize(
    "nonsense",
    [b"\x00" * 64 + b"\r\n\r\n", b"GET\r\n\r\n", b"A-ASSOCIATE-RQ / HTTP/9.9\r\n\r\n"],
)
def test_nonsense_is_answered_and_the_next_client_as_well(health, client, nonsense):
    with connect(health.port) as connection:
        connection.sendall(nonsense)
        assert connection.recv(100).startswith(b"HTTP/1.1 ")
    assert client.get("/healthz").status_code == 200


def test_a_header_without_end_is_cut_off(health):
    with connect(health.port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
        assert b" 413 " in connection.recv(100)


def test_a_port_in_use_is_said_in_one_line(health):
    server = HttpServer(Http(port=health.port), Application(()))
    with pytest.raises(CannotListen) as caught:
        server.start()
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{health.port}: Address already in use"
