"""The same filters in a real Orthanc and in the gateway: the same answers, the same things kept."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from dimse_support import associated
from images import made_ct
from orthanc_peer import ORTHANC, Pair, Request, Server, gateway_running, orthanc_running
from printed import GatewayPrinted, OrthancPrinted
from pydicom import Dataset, dcmread
from rest_support import file_bytes

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

SCRIPT = """
local function shown(t)
  local words = {}
  for key, value in pairs(t) do words[#words + 1] = key .. '=' .. tostring(value) end
  table.sort(words)
  return table.concat(words, ' ')
end

local asked = 0
function ReceivedInstanceFilter(dicom, origin, info)
  asked = asked + 1
  print('received', asked, dicom.PatientID, dicom.Absent, dicom.ProcedureCodeSequence[1].CodeValue,
        origin.RequestOrigin, origin.RemoteAet, origin.CalledAet, shown(info))
  local wish = dicom.PatientID
  if wish == 'false' then return false end
  if wish == 'nil' then return nil end
  if wish == 'none' then return end
  if wish == 'error' then error('boom') end
  if wish == 'text' then return 'false' end
  if wish == 'number' then return 0 end
  if wish == 'table' then return {} end
  if wish == 'two' then return true, false end
  return true
end

function IncomingHttpRequestFilter(method, uri, ip, username, headers)
  print('http', method, uri, ip, username, headers['x-mixed'], headers['X-Mixed'])
  if uri == '/refused' then return false end
  if uri == '/nothing' then return nil end
  if uri == '/failing' then error('boom') end
  return true
end
"""
WISHES = ("true", "false", "nil", "none", "error", "text", "number", "table", "two")
ANNA = ("anna", "secret")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("filters")


@pytest.fixture(scope="module")
def pair(folder) -> Iterator[Pair]:
    script = folder / "filters.lua"
    script.write_text(SCRIPT)
    sign_in = {"AuthenticationEnabled": True, "RegisteredUsers": dict([ANNA])}
    toml = "scripts.legacy = ['{}']\nhttp.users = {{{} = '{}'}}\n".format(script, *ANNA)
    with (
        orthanc_running(folder / "orthanc", LuaScripts=[str(script)], **sign_in) as orthanc,
        gateway_running(folder / "gateway", toml) as gateway,
    ):
        for server in (orthanc, gateway):
            server.client.auth = ANNA
        yield Pair(orthanc, gateway)


@pytest.fixture(scope="module")
def said(pair, folder) -> Any:
    """said(server): what its scripts have printed so far."""
    logs = {
        "orthanc": OrthancPrinted(folder / "orthanc" / "orthanc.log"),
        "gateway": GatewayPrinted(folder / "gateway" / "gateway.log"),
    }
    return lambda server: logs[server.name].lines()


def file_of(number: int, patient_id: str) -> bytes:
    image = made_ct(number, PatientID=patient_id)
    item = Dataset()
    item.CodeValue = "XYZ"
    image.ProcedureCodeSequence = [item]
    return file_bytes(image)


def c_store(server: Server, data: bytes) -> int:
    with associated(server.dicom_port) as association:
        return int(association.send_c_store(dcmread(io.BytesIO(data))).Status)


def assert_alike(pair: Pair, request: Request) -> None:
    """The same answers; the words of an error are our own."""
    theirs, ours = pair.orthanc.ask(request), pair.gateway.ask(request)
    assert ours.status_code == theirs.status_code
    if theirs.status_code == 200:
        assert ours.json() == theirs.json()
    elif theirs.content:
        assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]
    else:
        assert not ours.content


@pytest.mark.parametrize("wish", WISHES)
def test_a_c_store_is_answered_alike(pair: Pair, wish: str):
    data = file_of(100 + WISHES.index(wish), wish)

    assert c_store(pair.gateway, data) == c_store(pair.orthanc, data)


@pytest.mark.parametrize("wish", WISHES)
def test_an_upload_is_answered_alike(pair: Pair, wish: str):
    assert_alike(
        pair,
        Request("POST", "/instances", content=file_of(200 + WISHES.index(wish), wish)),
    )


def test_an_archive_is_answered_alike(pair: Pair):
    body = io.BytesIO()
    with ZipFile(body, "w") as archive:
        for number, wish in enumerate(("true", "false", "two")):
            archive.writestr(wish, file_of(300 + number, wish))

    assert_alike(pair, Request("POST", "/instances", content=body.getvalue()))


def test_the_same_is_kept(pair: Pair):
    found = [
        sorted(each["MainDicomTags"]["PatientID"] for each in server.client.get(
            "/patients?expand").json())
        for server in (pair.orthanc, pair.gateway)
    ]  # fmt: skip
    assert found[0] == found[1]
    assert "true" in found[0]
    assert "false" not in found[0]


@pytest.mark.parametrize("path", ["/refused", "/refused?x=1", "/refused/", "/nothing", "/failing"])
def test_a_request_is_answered_alike(pair: Pair, path: str):
    assert_alike(pair, Request("GET", path))


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/a%20b/c%2Fd/./e/../f?x=y%20z"), ("HEAD", "/patients"), ("PUT", "/patients"),
     ("DELETE", "/instances/nobody/"), ("GET", "/caf%C3%A9")],
)  # fmt: skip
def test_scripts_are_told_of_a_request_alike(pair: Pair, said: Any, method: str, path: str):
    told = []
    for server in (pair.orthanc, pair.gateway):
        url = server.client.base_url.copy_with(raw_path=path.encode())
        server.client.request(method, url, headers={"X-Mixed": "A"})
        told.append(said(server)[-1])

    assert told[0] == told[1]
    assert "anna, A, nil" in told[0]


def test_scripts_are_told_of_instances_alike(pair: Pair, said: Any):
    received = [
        [line for line in said(server) if line.startswith("received")]
        for server in (pair.orthanc, pair.gateway)
    ]

    assert received[0] == received[1]
    assert len(received[0]) >= 2 * len(WISHES)


def test_who_has_not_signed_in_is_not_asked_about(pair: Pair, said: Any):
    for server in (pair.orthanc, pair.gateway):
        before = said(server)
        assert server.client.get("/refused", auth=None).status_code == 401
        assert said(server) == before
        assert server.client.get("/refused").status_code == 403
        assert len(said(server)) == len(before) + 1
