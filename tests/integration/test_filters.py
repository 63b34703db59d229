"""Filters of a real gateway: senders, clients and peers meet what scripts answer."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from dimse_support import CT, EXPLICIT, IMPLICIT, J2K, associated, storage_scp
from gateway_process import GatewayProcess
from images import made_ct
from pydicom import Dataset
from rest_support import file_bytes
from waiting import wait_until

JPEG = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
UNKNOWN_CLASS = "1.2.826.0.1.3680043.10.99"

SCRIPT = """
function ReceivedInstanceFilter(dicom, origin, info)
  local wish = dicom.PatientID
  if wish == 'fail' then error('boom') end
  if wish == 'nil' then return nil end
  if wish == 'hang' then while true do end end
  return wish ~= 'no'
end

function ReceivedCStoreInstanceFilter(dicom, origin, info)
  return tonumber(dicom.PatientID) or 0
end

function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  if uri == '/refused' then return false end
  if uri == '/failing' then error('boom') end
  if uri == '/recursive' then
    -- A request of our own meets this filter again.
    local pipe = io.popen("curl -s -o /dev/null -w '%{http_code}' " .. httpHeaders['x-url'])
    local status = pipe:read('*a')
    pipe:close()
    return status == '200'
  end
  return true
end

function OutgoingCStoreInstanceFilter(dicom, destination)
  return dicom.PatientID ~= 'stay' or destination.RemoteAet ~= 'ARCHIVE'
end

function OnStoredInstance(instanceId, tags)
  if tags.PatientID == 'stay' or tags.PatientID == 'go' then
    Delete(Forward(instanceId, 'archive'))
  end
end

function IsJpeg2000TransferSyntaxAccepted(aet, ip) return aet == 'MODERN' and ip == '127.0.0.1' end
function IsRleTransferSyntaxAccepted(aet, ip) error('no answer') end
function IsUnknownSopClassAccepted(aet, ip) return aet == 'MODERN' end
"""
SETTINGS = "scripts.filter_timeout_s = 2\ndicom.syntaxes.jpeg = false\n"


@pytest.fixture(scope="module")
def archive() -> Iterator[tuple[int, list[Any]]]:
    with storage_scp() as (port, received):
        yield port, received


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, archive) -> Iterator[GatewayProcess]:
    port, _ = archive
    toml = SETTINGS + (
        f"[destinations.archive]\naet = 'ARCHIVE'\nhost = '127.0.0.1'\nport = {port}\n"
    )
    process = GatewayProcess(tmp_path_factory.mktemp("filters"), toml)
    process.script("filters.lua", SCRIPT)
    with process:
        yield process


@pytest.fixture
def client(gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.http_port}", timeout=30) as client:
        yield client


numbers = iter(range(1, 10_000))


def image(patient_id: str) -> Dataset:
    made = made_ct(next(numbers), PatientID=patient_id)
    file_bytes(made)  # which gives it its file meta information
    return made


def sent(gateway: GatewayProcess, patient_id: str) -> int:
    """The status that a C-STORE is answered with."""
    with associated(gateway.port) as association:
        return int(association.send_c_store(image(patient_id)).Status)


def patients(client: httpx.Client) -> set[str]:
    found = client.get("/patients?expand").json()
    return {each["MainDicomTags"]["PatientID"] for each in found}


@pytest.mark.parametrize(
    ("patient_id", "status"),
    [("yes", 0x0000), ("no", 0x0000), ("fail", 0xA700), ("nil", 0xA700), ("hang", 0xA700),
     ("42752", 0xA700), ("49152", 0xC000), ("0", 0x0000), ("70000", 0xA700)],
)  # fmt: skip
def test_a_c_store_is_answered_as_the_filters_say(gateway, client, patient_id, status):
    assert sent(gateway, patient_id) == status
    assert (patient_id in patients(client)) == (patient_id in ("yes", "0"))


def test_an_upload_says_what_became_of_it(client):
    answers = {
        name: client.post("/instances", content=file_bytes(image(name)))
        for name in ("upload", "no", "fail", "nil", "42752")
    }

    assert answers["upload"].json()["Status"] == "Success"
    assert answers["no"].json()["Status"] == "FilteredOut"
    assert answers["no"].json().keys() == answers["upload"].json().keys()
    assert answers["fail"].status_code == 500
    assert answers["fail"].json()["OrthancStatus"] == 2031
    assert answers["nil"].json()["OrthancStatus"] == 2034
    assert answers["42752"].json()["Status"] == "Success"  # it is no C-STORE
    assert {"upload", "42752"} <= patients(client)


def test_of_an_archive_each_file_is_asked_about(client):
    body = io.BytesIO()
    with ZipFile(body, "w") as archive:
        for name in ("zip-1", "no", "zip-2"):
            archive.writestr(name, file_bytes(image(name)))

    answer = client.post("/instances", content=body.getvalue()).json()

    assert [each["Status"] for each in answer] == ["Success", "FilteredOut", "Success"]


def test_what_a_modification_makes_is_asked_about(client):
    upload = client.post("/instances", content=file_bytes(image("original"))).json()

    def modified(patient_id: str) -> httpx.Response:
        wish = {"Replace": {"PatientID": patient_id}, "Force": True}
        return client.post(f"/patients/{upload['ParentPatient']}/modify", content=json.dumps(wish))

    assert modified("no").json()["OrthancStatus"] == 2018
    assert modified("fail").json()["OrthancStatus"] == 2031
    assert modified("renamed").status_code == 200
    assert "no" not in patients(client)


def test_a_request_that_a_script_refuses_is_forbidden(client):
    refused = client.get("/refused")
    assert refused.status_code == client.get("/refused?x=1").status_code == 403
    assert refused.content == b""
    assert client.get("/failing").status_code == 500
    assert client.get("/failing").json()["OrthancStatus"] == 2031
    assert "boom" not in client.get("/failing").text
    assert client.get("/system").status_code == 200


def test_a_filter_may_ask_the_gateway_that_asks_it(gateway, client):
    url = f"http://127.0.0.1:{gateway.http_port}/system"

    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: client.get("/recursive", headers={"X-Url": url}), range(6))
        )

    assert {answer.status_code for answer in answers} == {404}  # let through, to no such route


def test_a_filter_that_asks_itself_without_end_is_ended(gateway, client):
    url = f"http://127.0.0.1:{gateway.http_port}/recursive"
    # The header that curl sends on holds the same command.
    again = f"-H 'X-Url: {url}' {url}"

    answer = client.get("/recursive", headers={"X-Url": again})

    assert answer.status_code in (403, 500)
    assert client.get("/system").status_code == 200


def test_what_is_not_to_be_sent_is_not_deleted_either(gateway, client, archive):
    _, received = archive
    before = len(received)
    assert sent(gateway, "stay") == 0
    assert sent(gateway, "go") == 0

    wait_until(lambda: "go" not in patients(client))

    assert "stay" in patients(client)
    assert len(received) == before + 1
    wait_until(lambda: bool(gateway.events("instance is not sent")))
    wait_until(lambda: not gateway.tasks())


def test_a_job_counts_what_a_filter_does_not_want_to_be_sent(client, archive):
    _, received = archive
    before = len(received)
    made = image("stay")
    upload = client.post("/instances", content=file_bytes(made)).json()

    job = client.post("/modalities/archive/store", content=upload["ID"]).json()

    assert job["FilteredOutInstancesCount"] == 1
    assert job["FailedInstancesCount"] == 0
    assert len(received) == before


@pytest.mark.parametrize(
    ("calling_aet", "accepted"),
    [("MODERN", {(CT, J2K), (CT, RLE), (CT, EXPLICIT), (UNKNOWN_CLASS, EXPLICIT)}),
     ("OTHER", {(CT, RLE), (CT, EXPLICIT)})],
)  # fmt: skip
def test_scripts_say_what_a_peer_may_propose(gateway, calling_aet, accepted):
    """RLE stays as configured because its callback fails, JPEG because it has none."""
    proposed = [(CT, [syntax]) for syntax in (J2K, RLE, JPEG, EXPLICIT)]
    proposed.append((UNKNOWN_CLASS, [EXPLICIT]))

    with associated(gateway.port, proposed, calling_aet) as association:
        found = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0]))
            for context in association.accepted_contexts
        }

    assert found == accepted
    assert IMPLICIT not in {syntax for _, syntax in found}
