"""Every route as confused and hostile clients ask for it, over HTTP: Orthanc-like 4xx answers.

Nothing is stored, nothing is left over, and others are served.
"""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from http_support import connect, exchange, http_client, http_server
from images import made_ct
from rest_support import GatewayApi, LazyCodecs, file_bytes
from structlog.testing import capture_logs
from waiting import wait_until

from gateway.config.models import Configuration, Http
from gateway.config.models import Store as StoreSettings
from gateway.model import Level

UNKNOWN = "00000000-00000000-00000000-00000000-00000000"
SLOW_CLIENTS = 200
# They take whatever there is: none of them has to be JSON.
TAKE_ANY_TEXT = re.compile(r"/(export|echo|dicom-echo|accepted-transfer-syntaxes)$")
# A list of names, which is the same for every instance and frame, as Orthanc's is.
ANSWERS_ANYWAY = ("GET", "/instances/{resource_id}/frames/{frame}")


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Iterator[GatewayApi]:
    """All routes, over a store with one image."""
    folder, codecs = tmp_path_factory.mktemp("hostile"), LazyCodecs()
    settings = Configuration(
        store=StoreSettings(folder=folder / "data"), http=Http(maximum_body_mb=1)
    )
    made = GatewayApi(folder, codecs, settings)
    made.store(made_ct(1))
    yield made
    made.close()
    codecs.close()


@pytest.fixture(scope="module")
def port(api) -> Iterator[int]:
    with http_server(api.application, maximum_body_mb=1) as port:
        yield port


@pytest.fixture
def client(api, port) -> Iterator[httpx.Client]:
    """A client; whatever it asked, all is as it was, and nothing was a fault of ours."""
    before = contents(api)
    with http_client(port, timeout=20) as client:
        with capture_logs() as lines:
            yield client
        assert client.get("/system").status_code == 200
    assert contents(api) == before
    assert [line for line in lines if line["log_level"] in ("error", "critical")] == []


def contents(api):
    """Every resource, note, label, job and modality there is, and every file in the storage."""
    told = [api.get_json(f"/{name}") for name in ("modalities", "peers", "jobs", "changes")]
    for level, plural in zip(Level, ("patients", "studies", "series", "instances"), strict=True):
        for each in api.services.catalogue.ids(level):
            told += [api.get_json(f"/{plural}/{each}/{name}") for name in ("metadata", "labels")]
    return told, files_of(api)


def files_of(api):
    folder = api.settings.store.folder / "files"
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def operations(api):
    """Method, path and description of everything that is served."""
    described = api.get_json("/openapi.json")["paths"]
    for path, methods in described.items():
        for method, operation in methods.items():
            if method in ("get", "put", "post", "delete"):
                yield method.upper(), path, operation


def filled(path, **variables):
    """A path with its variables: an unknown id where nothing else is said."""
    return re.sub(r"\{(\w+)\}", lambda found: variables.get(found[1], UNKNOWN), path)


def is_refusal(response):
    return 400 <= response.status_code < 500 or response.status_code == 501


# --- bodies --------------------------------------------------------------------------------------

MALFORMED = [
    b"{", b"[1,", b'{"a":}', b"{'a': 1}", b"nonsense", b"\xff\xfe{}", b'{"a": "\\ud800"}',
    b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:12]))
def test_json_that_is_none_is_refused_by_every_route(api, client, body):
    (known,) = api.services.catalogue.ids(Level.STUDY)
    asked = 0
    for method, path, operation in operations(api):
        accepted = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in accepted or TAKE_ANY_TEXT.search(path):
            continue
        if len(accepted) > 1:
            continue
        response = client.request(method, filled(path, resource_id=known), content=body)
        assert is_refusal(response), (method, path, response.status_code, response.text)
        asked += 1
    assert asked > 20


WRONG_TYPES = [
    None, True, 5, "text", [], [1], [[]], {"Resources": 5}, {"Level": [], "Query": "x"},
]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/tools/find", "/tools/bulk-delete", "/studies/{resource_id}/anonymize",
             "/studies/{resource_id}/modify", "/modalities/x/store", "/peers/x/store"],
)  # fmt: skip
def test_bodies_of_a_wrong_type_are_refused(client, path):
    for body in WRONG_TYPES:
        response = client.post(filled(path), json=body)
        assert is_refusal(response), (body, response.status_code, response.text)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tools/find", {"Level": "Study", "Query": {"NoSuchTag": "x"}}),
        ("/tools/find", {"Level": "Study", "Query": {}, "RequestedTags": ["NoSuchTag"]}),
        ("/studies/{resource_id}/modify", {"Replace": {"NoSuchTag": "x"}}),
        ("/studies/{resource_id}/modify", {"Remove": ["0010-001g"]}),
        ("/studies/{resource_id}/anonymize", {"Keep": ["PatientNam"]}),
        ("/instances/{resource_id}/modify", {"Replace": {"NoSuchTag": "x"}}),
    ],
)
def test_tags_that_are_none_are_refused_by_their_name(api, client, path, body):
    level = Level.INSTANCE if path.startswith("/instances") else Level.STUDY
    (known,) = api.services.catalogue.ids(level)
    response = client.post(filled(path, resource_id=known), json=body)
    assert response.status_code == 400
    assert response.json()["OrthancStatus"] == 27


def test_a_body_above_the_limit_stores_nothing(api, client):
    large = file_bytes(made_ct(2, rows=1024, columns=1024))
    assert client.post("/instances", content=large).status_code == 413
    assert client.post("/instances", content=iter([large])).status_code == 413
    packed = gzip.compress(large)
    assert len(packed) < 1 << 20
    coded = {"Content-Encoding": "gzip"}
    assert client.post("/instances", content=packed, headers=coded).status_code == 413


def test_lists_in_lists_without_end_are_no_transfer_syntaxes(client):
    before = client.get("/tools/accepted-transfer-syntaxes").json()
    assert client.put("/tools/accepted-transfer-syntaxes", content=b"[" * 100_000).json() == []
    assert client.put("/tools/accepted-transfer-syntaxes", json=before).json() == before


# --- paths ---------------------------------------------------------------------------------------


def test_an_unknown_id_is_unknown_to_every_route(api, client):
    asked = 0
    for method, path, _ in operations(api):
        if "{" not in path or (method, path) == ANSWERS_ANYWAY:
            continue
        response = client.request(method, filled(path), content=b"{}")
        assert is_refusal(response), (method, path, response.status_code, response.text)
        asked += 1
    assert asked > 100


@pytest.mark.parametrize(
    "trick",
    [
        "..", "../..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "%2e%2e%2fetc%2fpasswd", "%00", "a%00b",
        "....//", "..\\..", "%5c..%5c", "%c0%ae%c0%ae", "~", "*", "%", "%zz", "a'b", "a;b",
        "%0d%0aX-Injected:%201", "x" * 4000, "%f0%9f%92%a9", "-1", "1e99",
    ],
)  # fmt: skip
def test_tricks_in_paths_lead_nowhere(api, port, client, trick):
    (known,) = api.services.catalogue.ids(Level.INSTANCE)
    places = (
        "/{}", "/instances/{}", "/instances/{}/file", f"/instances/{known}/attachments/{{}}/data",
        f"/instances/{known}/content/{{}}", f"/instances/{known}/metadata/{{}}",
        f"/instances/{known}/frames/{{}}/raw", "/jobs/{}", "/jobs/{}/archive", "/modalities/{}",
        "/peers/{}", "/studies/{}/archive",
    )  # fmt: skip
    for place in places:
        target = place.format(trick).encode()
        answer = exchange(port, b"GET " + target + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 4") or body == b"[]\n", (target, answer[:300])
        assert b"X-Injected" not in head
        assert b"root:" not in body


@pytest.mark.parametrize("separator", ["\r\n", "\n", "\r", "\0", "\u2028"])
def test_no_text_of_a_request_becomes_a_header(api, client, separator):
    """Names, values and parameters that come back in an answer."""
    (study,) = api.services.catalogue.ids(Level.STUDY)
    forged = f"a{separator}X-Injected: 1"
    responses = [
        client.get(f"/studies/{study}/archive", params={"filename": forged}),
        client.get("/studies", params={"expand": forged, "requestedTags": forged}),
        client.put(f"/studies/{study}/labels/{httpx.QueryParams({'': forged})}"[:-1]),
        client.get(f"/studies/{study}/metadata/x", headers={"If-None-Match": '"a"'}),
        client.get("/system", headers={"Accept-Encoding": "gzip, x", "Origin": "http://evil"}),
        client.post("/tools/lookup", content=forged.encode()),
        client.put("/modalities/x", json=[forged, "h", 104]),
    ]
    for response in responses:
        assert "X-Injected" not in response.headers
        assert response.status_code < 500


# --- clients that stop, and slow ones ------------------------------------------------------------


@pytest.mark.parametrize("head", [b"Content-Length: %d", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_an_upload_that_stops_in_the_middle_leaves_nothing(api, port, client, head, share):
    image = file_bytes(made_ct(3, rows=256, columns=256))
    body = image if b"%d" in head else b"%x\r\n%s\r\n0\r\n\r\n" % (len(image), image)
    head = head % len(image) if b"%d" in head else head
    with connect(port) as sender:
        sender.sendall(b"POST /instances HTTP/1.1\r\n" + head + b"\r\n\r\n")
        sender.sendall(body[: int(len(body) * share)])
    wait_until(lambda: len(files_of(api)) == 1)


def test_two_hundred_slow_uploads_store_nothing_and_delay_nobody(api, port, client):
    image = file_bytes(made_ct(4, rows=64, columns=64))
    request = b"POST /instances HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(image) + image
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(port)) for _ in range(SLOW_CLIENTS)]
        for each in slow:
            each.sendall(request[:2000])
        for number in range(10):
            for each in slow:
                each.sendall(request[2000 + number : 2001 + number])
            assert len(client.get("/instances", timeout=5).json()) == 1
    wait_until(lambda: len(files_of(api)) == 1)


def test_errors_are_told_as_orthanc_tells_them(client):
    response = client.post("/tools/find", content=b"{")
    assert response.status_code == 400
    told = json.loads(response.content)
    assert told.keys() >= {"HttpError", "HttpStatus", "Message", "Method", "OrthancError", "Uri"}
    assert (told["Method"], told["HttpStatus"], told["Uri"]) == ("POST", 400, "/tools/find")
