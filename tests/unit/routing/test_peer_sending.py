"""Sending to peers over HTTP: what each answer of theirs means for what waits."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from store_support import Instances

from gateway.metrics import Metrics
from gateway.model import Action, NewTask, Step, TaskState
from gateway.routing.forwarding import ForwardWorker
from gateway.routing.peers import PeerLink, StoredFiles
from gateway.routing.retry import RetryPolicy
from gateway.store.opened import Store
from gateway.store.peers import Peer

PATIENT_POLICY = RetryPolicy(3, 60, 2, 600, 0)


class HttpPeer:
    """Answers with `statuses`, one after the other, then with 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[tuple[str, bytes]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer.asked.append((self.path, body))
                self.send_response(peer.statuses.pop(0) if peer.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/orthanc/"


@pytest.fixture
def peer() -> Iterator[HttpPeer]:
    running = HttpPeer()
    thread = threading.Thread(target=running.server.serve_forever)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()


@pytest.fixture
def plan(store: Store, receive, made_ct) -> Callable[[int], list[bytes]]:
    """Keep so many images and plan to send each; answers their files."""
    store.outbox.open_lane("a")

    def enter(count: int) -> list[bytes]:
        contents = []
        for number in range(1, count + 1):
            version = Instances(store.engine).current(receive(made_ct(number)))
            step = Step(1, Action.SEND_TO_PEER, version.instance_id, None, "cloud", {}, "a.lua:1")
            task = NewTask(step, version.instance_id, version.version_id, ())
            (event,) = store.outbox.pending("a", 9)
            store.outbox.settle("a", event.event_id, lambda find, task=task: [task])
            contents.append(store.files.path(version.storage_key).read_bytes())
        return contents

    return enter


@pytest.fixture
def work(store: Store, peer: HttpPeer) -> Iterator[Callable[[], bool]]:
    worker = ForwardWorker(
        "cloud", PeerLink(Peer(peer.url)), store.tasks, StoredFiles(store.files), PATIENT_POLICY,
        Metrics(), action=Action.SEND_TO_PEER,
    )  # fmt: skip
    yield lambda: worker.work(lambda: False)
    worker.close()


def rows(store: Store) -> list[tuple[str, int, str]]:
    return [(row.state, row.attempts, row.error_kind) for row in store.board.rows([*TaskState])]


def test_all_that_waits_is_posted_as_it_is_stored(store, peer, plan, work):
    contents = plan(3)
    assert work()
    assert peer.asked == [("/orthanc/instances", content) for content in contents]
    assert rows(store) == [("done", 0, "")] * 3


@pytest.mark.parametrize("status", [400, 404, 415])
def test_what_a_peer_does_not_take_is_parked(store, peer, plan, work, status):
    plan(2)
    peer.statuses = [status]
    work()
    assert rows(store) == [("parked", 1, "peer-refused"), ("done", 0, "")]
    assert store.board.rows()[0].error == f"the peer answered with HTTP status {status}"


@pytest.mark.parametrize("status", [500, 507, 429])
def test_a_peer_in_trouble_with_an_instance_is_asked_again(store, peer, plan, work, status):
    plan(2)
    peer.statuses = [status]
    work()
    assert rows(store) == [("waiting", 1, "peer-refused"), ("done", 0, "")]


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_peer_that_takes_nothing_from_us_is_left_alone_for_a_while(
    store, peer, plan, work, status
):
    plan(3)
    peer.statuses = [status]
    work()
    assert [state for state, *_ in rows(store)] == ["waiting"] * 3
    assert len(peer.asked) == 1
    assert not work()
    assert len(peer.asked) == 1


def test_a_person_may_have_it_tried_at_once(store, peer, plan, work):
    plan(2)
    peer.statuses = [503]
    work()
    store.board.retry([row.task_id for row in store.board.rows()])
    assert work()
    assert rows(store) == [("done", 0, "")] * 2
