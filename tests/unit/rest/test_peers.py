"""Peers: putting, showing, and sending over HTTP."""

import gzip
import json
import socket
import threading
from contextlib import contextmanager

import pytest
from images import made_ct
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ImplicitVRLittleEndian
from rest_support import GatewayApi, file_bytes
from structlog.testing import capture_logs
from werkzeug import Request, Response
from werkzeug.serving import make_server

BAD_FILE, INEXISTENT, INEXISTENT_FILE, NETWORK, UNKNOWN = 15, 7, 13, 9, 17
NOBODY = "00000000-00000000-00000000-00000000-00000000"
ANSWER = {"ID": "x", "Status": "Success"}


class FakePeer:
    """Answers like an Orthanc, and remembers what it was sent.

    refuse: the places of those requests, counted from 0, that are answered with 400.
    """

    def __init__(self, refuse: tuple[int, ...] = ()) -> None:
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.refuse = refuse
        self.url = ""

    def __call__(self, environ, start_response):
        request = Request(environ)
        refused = len(self.requests) in self.refuse
        self.bodies.append(request.get_data())
        self.requests.append(request)
        answer = Response(json.dumps(ANSWER), 400 if refused else 200)
        return answer(environ, start_response)


@contextmanager
def peer(refuse: tuple[int, ...] = ()):
    fake = FakePeer(refuse)
    server = make_server("127.0.0.1", 0, fake, threaded=False)
    fake.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="peer")
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@pytest.fixture
def dead_url():
    """An address of this machine at which nobody listens."""
    with socket.socket() as taken:  # bound, not listening: it stays ours, and refuses
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.fixture
def silent_url():
    """An address at which connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def put(api: GatewayApi, name: str, what: object):
    return api.put(f"/peers/{name}", json.dumps(what))


def shown(api: GatewayApi, name: str) -> dict:
    return api.get_json(f"/peers/{name}/configuration")


def fault(response) -> tuple[int, int]:
    return response.status_code, response.json["OrthancStatus"]


# --- the list of them ----------------------------------------------------------------------------


def test_what_is_put_is_listed_and_shown(gateway_api):
    response = put(gateway_api, "other", ["http://other:8042"])
    assert (response.status_code, response.data) == (200, b"")
    assert gateway_api.get_json("/peers") == ["other"]
    expected = {"HttpHeaders": [], "Pkcs11": False, "Timeout": 0, "Url": "http://other:8042/"}
    assert shown(gateway_api, "other") == expected
    assert gateway_api.get_json("/peers?expand") == {"other": expected}


def test_passwords_and_values_of_headers_are_never_shown(gateway_api):
    wanted = {
        "Url": "http://other/", "Username": "me", "Password": "secret",
        "HttpHeaders": {"Token": "secret"}, "Timeout": 5, "Note": "mine", "Number": 5,
    }  # fmt: skip
    put(gateway_api, "other", wanted)
    assert shown(gateway_api, "other") == {
        "HttpHeaders": ["Token"], "Note": "mine", "Number": "5", "Password": None, "Pkcs11": False,
        "Timeout": 5, "Url": "http://other/", "Username": "me",
    }  # fmt: skip
    assert b"secret" not in gateway_api.get("/peers?expand").data


def test_a_peer_is_replaced_and_deleted(gateway_api):
    put(gateway_api, "other", ["http://a/"])
    put(gateway_api, "other", ["http://b/", "me", "secret"])
    assert shown(gateway_api, "other")["Url"] == "http://b/"
    response = gateway_api.delete("/peers/other")
    assert (response.status_code, response.data) == (200, b"")
    assert gateway_api.get_json("/peers") == []


def test_a_peer_and_a_modality_may_have_one_name(gateway_api):
    put(gateway_api, "other", ["http://a/"])
    assert gateway_api.put("/modalities/other", '["A", "b", 104]').status_code == 200
    gateway_api.delete("/modalities/other")
    assert gateway_api.get_json("/peers") == ["other"]


def test_a_peer_tells_what_can_be_asked_of_it(gateway_api):
    put(gateway_api, "other", ["http://a/"])
    assert gateway_api.get_json("/peers/other") == [
        "configuration", "store", "store-straight", "system",
    ]  # fmt: skip


def test_an_unknown_peer_is_a_404(empty_api):
    response = empty_api.get("/peers/nobody")
    assert (response.status_code, response.data) == (404, b"")
    for path in ("configuration", "system"):
        assert fault(empty_api.get(f"/peers/nobody/{path}")) == (404, UNKNOWN)
    assert fault(empty_api.post("/peers/nobody/store", NOBODY)) == (404, UNKNOWN)
    assert fault(empty_api.post("/peers/nobody/store-straight", b"")) == (404, UNKNOWN)
    assert fault(empty_api.delete("/peers/nobody")) == (404, INEXISTENT)


@pytest.mark.parametrize(
    "what",
    [
        {}, [], "http://a/", ["ftp://a/"], ["a"], [1], ["http:///a"], ["http://a/?query"],
        ["http://a/", "me"], ["http://a/", "me", "secret", "more"], {"Url": 5},
        {"Url": "http://a/", "Timeout": "5"}, {"Url": "http://a/", "Timeout": -1},
        {"Url": "http://a/", "HttpHeaders": []}, {"Url": "http://a/", "HttpHeaders": {"A": 1}},
        {"Url": "http://a/", "HttpHeaders": {"A": "b\r\nC: d"}},
        {"Url": "http://a/", "HttpHeaders": {"A\n": "b"}},
        {"Url": "http://a/", "Username": "me", "Password": 5}, {"Url": "http://a/", "Note": [1]},
        {"Url": "http://a/", "Pkcs11": "x"},
    ],
)  # fmt: skip
def test_a_peer_that_makes_no_sense_is_refused(empty_api, what):
    assert fault(put(empty_api, "other", what)) == (400, BAD_FILE)
    assert empty_api.get_json("/peers") == []


def test_a_certificate_has_to_be_there(empty_api):
    what = {"Url": "https://a/", "CertificateFile": "/no/such/file"}
    assert fault(put(empty_api, "other", what)) == (404, INEXISTENT_FILE)


def test_a_certificate_that_is_none_is_an_error_of_the_network(gateway_api, tmp_path):
    certificate = tmp_path / "certificate.pem"
    certificate.write_text("nothing")
    put(gateway_api, "other", {"Url": "https://a/", "CertificateFile": str(certificate)})
    assert shown(gateway_api, "other")["CertificateFile"] == str(certificate)
    assert fault(gateway_api.get("/peers/other/system")) == (500, NETWORK)


def test_a_name_is_of_letters_digits_dashes_and_underscores(empty_api):
    assert fault(put(empty_api, "a;b", ["http://a/"])) == (400, BAD_FILE)


# --- asking --------------------------------------------------------------------------------------


def test_what_a_peer_says_of_itself_is_passed_on(gateway_api):
    with peer() as fake:
        put(gateway_api, "other", {
            "Url": fake.url, "Username": "me", "Password": "secret", "HttpHeaders": {"Token": "t"},
        })  # fmt: skip
        assert gateway_api.get_json("/peers/other/system") == ANSWER
    (request,) = fake.requests
    assert (request.path, request.headers["Token"]) == ("/system", "t")
    assert (request.authorization.username, request.authorization.password) == ("me", "secret")


def test_a_dead_and_a_silent_peer_are_errors_of_the_network(gateway_api, dead_url, silent_url):
    put(gateway_api, "dead", [dead_url])
    put(gateway_api, "silent", {"Url": silent_url, "Timeout": 1})
    for name in ("dead", "silent"):
        assert fault(gateway_api.get(f"/peers/{name}/system")) == (500, NETWORK)


# --- store ---------------------------------------------------------------------------------------


def test_instances_are_sent_as_they_are_stored(gateway_api):
    instances = [gateway_api.store(made_ct(n)) for n in (1, 2)]
    with peer() as fake:
        put(gateway_api, "other", [fake.url, "me", "secret"])
        content = gateway_api.post_json("/peers/other/store", instances)
    files = [gateway_api.file_of(each).read_bytes() for each in instances]
    assert fake.bodies == files
    assert {request.path for request in fake.requests} == {"/instances"}
    assert content == {
        "Compress": False, "Description": "REST API", "FailedInstancesCount": 0,
        "InstancesCount": 2, "ParentResources": sorted(instances),
        "Peer": [fake.url, "me", ""], "Size": str(sum(map(len, files))), "SizeMB": 0,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["{}", '"{}"', '["{}"]', '{{"Resources": ["{}"]}}'])
def test_a_bare_id_a_list_and_an_object_are_sent(gateway_api, form):
    instance = gateway_api.store(made_ct(1))
    with peer() as fake:
        put(gateway_api, "other", [fake.url])
        assert gateway_api.post("/peers/other/store", form.format(instance)).status_code == 200
    assert len(fake.bodies) == 1


def test_files_are_compressed_on_the_way_if_asked_for(gateway_api):
    instance = gateway_api.store(made_ct(1, rows=64, columns=64))
    with peer() as fake:
        put(gateway_api, "other", [fake.url])
        content = gateway_api.post_json(
            "/peers/other/store", {"Resources": [instance], "Compress": True}
        )
    assert fake.requests[0].headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(fake.bodies[0]) == gateway_api.file_of(instance).read_bytes()
    assert content["Size"] == str(len(fake.bodies[0]))
    assert not list((gateway_api.settings.store.folder / "incoming").glob("*"))


def syntax_of(data: bytes) -> str:
    return dcmread(DicomBytesIO(data)).file_meta.TransferSyntaxUID


def test_images_are_transcoded_on_the_way_if_asked_for(gateway_api):
    instance = gateway_api.store(made_ct(1, rows=16, columns=16))
    with peer() as fake:
        put(gateway_api, "other", [fake.url])
        request = {"Resources": [instance], "Transcode": ImplicitVRLittleEndian}
        content = gateway_api.post_json("/peers/other/store", request)
    assert syntax_of(fake.bodies[0]) == content["Transcode"] == ImplicitVRLittleEndian


def test_what_cannot_be_transcoded_is_sent_as_it_is_stored(gateway_api):
    instance = gateway_api.store(made_ct(1))
    with peer() as fake, capture_logs():
        put(gateway_api, "other", [fake.url])
        video = "1.2.840.10008.1.2.4.100"
        request = {"Resources": [instance], "Transcode": video}
        gateway_api.post_json("/peers/other/store", request)
    assert fake.bodies == [gateway_api.file_of(instance).read_bytes()]


def test_a_background_job_sends_and_tells_the_same(gateway_api):
    instance = gateway_api.store(made_ct(1))
    with peer() as fake:
        put(gateway_api, "other", [fake.url])
        request = {"Resources": [instance], "Asynchronous": True, "Priority": 4}
        answer = gateway_api.post_json("/peers/other/store", request)
    assert answer == {"ID": "job-1", "Path": "/jobs/job-1"}
    job = gateway_api.jobs.done["job-1"]
    assert (job.kind, job.priority) == ("OrthancPeerStore", 4)
    assert job.content["Peer"] == [fake.url]


def test_what_was_sent_is_among_the_exports(gateway_api):
    instance = gateway_api.store(made_ct(1))
    with peer() as fake:
        put(gateway_api, "other", [fake.url])
        gateway_api.post_json("/peers/other/store", [instance])
    exports = gateway_api.get_json("/exports")["Exports"]
    assert [(each["ID"], each["RemoteModality"]) for each in exports] == [(instance, "other")]


def test_the_first_refusal_ends_a_job(gateway_api):
    instances = [gateway_api.store(made_ct(n)) for n in (1, 2)]
    with peer(refuse=(0,)) as fake:
        put(gateway_api, "other", [fake.url])
        response = gateway_api.post("/peers/other/store", json.dumps(instances))
    assert fault(response) == (500, NETWORK)
    assert len(fake.bodies) == 1


def test_a_permissive_job_goes_on_and_counts_what_failed(gateway_api):
    instances = [gateway_api.store(made_ct(n)) for n in (1, 2, 3)]
    with peer(refuse=(1,)) as fake, capture_logs():
        put(gateway_api, "other", [fake.url])
        content = gateway_api.post_json(
            "/peers/other/store", {"Resources": instances, "Permissive": True}
        )
    assert (content["FailedInstancesCount"], len(fake.bodies)) == (1, 3)


def test_a_dead_peer_fails_the_request(gateway_api, dead_url):
    instance = gateway_api.store(made_ct(1))
    put(gateway_api, "dead", [dead_url])
    assert fault(gateway_api.post("/peers/dead/store", instance)) == (500, NETWORK)


@pytest.mark.parametrize(
    "body",
    [
        "", "nobody", "{}", '["nobody"]', '{"Resources": [], "Compress": "x"}',
        '{"Resources": [], "Transcode": "nothing"}', '{"Resources": [], "Permissive": 1}',
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_refused(gateway_api, body):
    put(gateway_api, "other", ["http://a/"])
    assert fault(gateway_api.post("/peers/other/store", body)) == (400, BAD_FILE)


def test_an_id_that_names_nothing_is_a_404(gateway_api):
    put(gateway_api, "other", ["http://a/"])
    assert fault(gateway_api.post("/peers/other/store", NOBODY)) == (404, UNKNOWN)


# --- store-straight ------------------------------------------------------------------------------


def test_a_file_is_sent_straight_and_the_peers_answer_is_passed_on(gateway_api):
    data = file_bytes(made_ct(1))
    with peer() as fake:
        put(gateway_api, "other", [fake.url])
        assert gateway_api.post_json("/peers/other/store-straight", data) == ANSWER
    assert fake.bodies == [data]
    assert not list((gateway_api.settings.store.folder / "incoming").glob("*"))


def test_what_a_peer_does_not_take_straight_is_an_error_of_the_network(gateway_api):
    with peer(refuse=(0,)) as fake:
        put(gateway_api, "other", [fake.url])
        response = gateway_api.post("/peers/other/store-straight", b"x")
    assert fault(response) == (500, NETWORK)
