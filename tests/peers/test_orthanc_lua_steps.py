"""Planning functions: the same script in Orthanc and in the gateway does the same with images.

Modalities and peers are put over REST while the servers run. Each case is one image, whose
AccessionNumber says what the script is to do with it.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from archive import Archive
from gateway_process import GatewayProcess
from images import made_ct
from orthanc_peer import ORTHANC, client_of, orthanc_running
from printed import GatewayPrinted, OrthancPrinted, Printed
from pydicom import Dataset, dcmread
from rest_support import file_bytes
from waiting import wait_until

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

TIMEOUT_S = 60.0
NOBODY = "00000000-00000000-00000000-00000000-00000000"
ORIGINAL, ANOTHER = "original", "another"


@dataclass(frozen=True)
class Case:
    """What the script does, and what is to be seen of it.

    sent, posted, stored: of each image that arrived at the modality, at the peer, or is stored in
    the end: whether it is the original or another instance, and its PatientName.
    """

    lua: str
    sent: tuple[tuple[str, str], ...] = ()
    posted: tuple[tuple[str, str], ...] = ()
    stored: tuple[tuple[str, str], ...] = ((ORIGINAL, "BEFORE"),)
    said: tuple[str, ...] = ()


KEPT = (ORIGINAL, "BEFORE")
NEW = (ANOTHER, "AFTER")
MODIFY = "ModifyInstance(id, {PatientName = 'AFTER'}, {'StudyDescription'}, true)"
CASES = {
    "send": Case("SendToModality(id, 'pacs')", sent=(KEPT,)),
    "send-as": Case("SendToModality(id, 'pacs', 'ANOTHER')", sent=(KEPT,)),
    "send-answers-its-id": Case(
        "print(SendToModality(id, 'pacs') == id)", sent=(KEPT,), said=("true",)
    ),
    "peer": Case("SendToPeer(id, 'cloud')", posted=(KEPT,)),
    "peer-answers-its-id": Case(
        "print(SendToPeer(id, 'cloud') == id)", posted=(KEPT,), said=("true",)
    ),
    "both": Case("SendToPeer(SendToModality(id, 'pacs'), 'cloud')", sent=(KEPT,), posted=(KEPT,)),
    "delete": Case("Delete(id)", stored=()),
    "delete-answers-nothing": Case("print(Delete(id))", stored=(), said=("nil",)),
    "send-and-delete": Case("Delete(SendToModality(id, 'pacs'))", sent=(KEPT,), stored=()),
    "post-and-delete": Case("Delete(SendToPeer(id, 'cloud'))", posted=(KEPT,), stored=()),
    "modify": Case(MODIFY, stored=(NEW, KEPT)),
    "modify-answers-a-string": Case(
        f"print(type({MODIFY}))", stored=(NEW, KEPT), said=("string",)
    ),
    "modify-nothing": Case("ModifyInstance(id)", stored=((ANOTHER, "BEFORE"), KEPT)),
    "modify-and-send": Case(f"SendToModality({MODIFY}, 'pacs')", sent=(NEW,), stored=(NEW, KEPT)),
    "modify-send-delete": Case(f"Delete(SendToModality({MODIFY}, 'pacs'))", sent=(NEW,)),
    "modify-and-delete-both": Case(
        f"Delete(SendToModality({MODIFY}, 'pacs')) Delete(id)", sent=(NEW,), stored=()
    ),
    "modify-and-post": Case(f"SendToPeer({MODIFY}, 'cloud')", posted=(NEW,), stored=(NEW, KEPT)),
    "modify-replaces-the-original": Case(f"{MODIFY} Delete(id)", stored=(NEW,)),
    "the-result-before": Case(
        f"{MODIFY} SendToModality('', 'pacs') Delete('')", sent=(NEW,)
    ),
    "the-result-before-is-the-original": Case(
        "SendToModality(id, 'pacs') SendToPeer('', 'cloud') Delete('')",
        sent=(KEPT,), posted=(KEPT,), stored=(),
    ),
    "command": Case("CallSystem(id, 'cp', {'-f', '--target-directory', FOLDER})"),
    "command-and-send": Case("SendToModality(CallSystem(id, 'true', {}), 'pacs')", sent=(KEPT,)),
    "command-cannot-change-the-image": Case(
        "SendToModality(CallSystem(id, 'truncate', {'-s', '5'}), 'pacs')", sent=(KEPT,)
    ),
    "numbers-are-arguments": Case("Delete(CallSystem(id, 'test', {5, '-lt', 7, '-a'}))", stored=()),
    "nil-is-no-resource": Case("print(pcall(SendToModality, nil, 'pacs'))"),
    "nil-cannot-be-deleted": Case("print((pcall(Delete, nil)))", said=("false",)),
    "a-command-has-a-name": Case("print((pcall(CallSystem, id)))", said=("false",)),
    "an-error-after-a-plan": Case("Delete(id) error('half-way')"),
    "nobody": Case("SendToModality(id, 'nobody')"),
    "no-such-peer": Case("SendToPeer(id, 'nobody')"),
    "an-unknown-tag": Case("ModifyInstance(id, {Nonsense = 'x'}, {}, true)"),
    "an-unknown-tag-to-remove": Case("ModifyInstance(id, {PatientName = 'x'}, {'Nonsense'}, true)"),
    "an-identifier": Case("ModifyInstance(id, {PatientID = 'x'}, {}, true)"),
    "a-uid": Case("ModifyInstance(id, {SOPInstanceUID = '1.2'}, {}, true)"),
    "an-identifier-to-remove": Case("ModifyInstance(id, {}, {'PatientID'}, true)"),
    "a-boolean-value": Case("ModifyInstance(id, {PatientName = true}, {}, true)"),
    "a-list-as-a-value": Case("ModifyInstance(id, {PatientName = {'a', 'b'}}, {}, true)"),
    "text-for-a-sequence": Case("ModifyInstance(id, {ReferencedStudySequence = 'x'}, {}, true)"),
    "text-for-removals": Case("ModifyInstance(id, {PatientName = 'x'}, 'StudyDescription', true)"),
    "text-for-private": Case("ModifyInstance(id, {PatientName = 'x'}, nil, 'yes')"),
    "tags-by-number": Case(
        "ModifyInstance(id, {['0010,0010'] = 'AFTER', ['0008-1030'] = 'x'}, {'0008,0050'}, false)",
        stored=(NEW, KEPT),
    ),
    "foreign-letters": Case(
        "ModifyInstance(id, {PatientName = 'M\u00fcller'}, {}, true)",
        stored=((ANOTHER, "M\u00fcller"), KEPT),
    ),
    "an-empty-sequence": Case(
        "ModifyInstance(id, {PatientName = 'AFTER', ReferencedStudySequence = {}}, {}, true)",
        stored=(NEW, KEPT),
    ),
    "a-sequence": Case(
        "ModifyInstance(id, {PatientName = 'AFTER',"
        " ReferencedStudySequence = {{PatientName = 'inside'}}}, {}, true)",
        stored=(NEW, KEPT),
    ),
    "somebody-else-first": Case(
        f"SendToModality('{NOBODY}', 'pacs')",
    ),
}  # fmt: skip
SCRIPT = """
local FOLDER = '{folder}'
local cases = {{}}
{cases}
function OnStoredInstance(id, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    print(tags.PatientID, 'made from', metadata.ModifiedFrom ~= nil, metadata.Origin)
    return
  end
  local print = function(...) print(tags.PatientID, ...) end
  cases[tags.PatientID](id, print)
end
"""


class Peer:
    """Takes what is posted to /instances."""

    def __init__(self) -> None:
        self.images: list[Dataset] = []
        images = self.images

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                images.append(dcmread(BytesIO(body)))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @contextmanager
    def listening(self) -> Iterator[str]:
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{self.server.server_port}/"
        finally:
            self.server.shutdown()
            self.server.server_close()
            thread.join()


class Node:
    """One of the two servers, with a modality and a peer of its own."""

    def __init__(self, client: httpx.Client, printed: Printed, copies: Path) -> None:
        self.client, self.printed, self.copies = client, printed, copies
        self.archive, self.peer = Archive(), Peer()

    @contextmanager
    def surrounded(self) -> Iterator["Node"]:
        with self.archive.listening(), self.peer.listening() as url:
            modality = ["PACS", "127.0.0.1", self.archive.port]
            assert self.client.put("/modalities/pacs", json=modality).status_code == 200
            assert self.client.put("/peers/cloud", json=[url]).status_code == 200
            yield self

    def store(self, image: bytes) -> None:
        assert self.client.post("/instances", content=image).status_code == 200

    def outcome(self, case: str, original: str) -> tuple[Any, ...]:
        """What Case.sent, posted and stored expect."""
        files = [dcmread(BytesIO(file)) for file in tuple(self.archive.files.values())]
        seen = partial(_seen, case, original)
        return seen(files), seen(self.peer.images), seen(self._stored(self._found(case)))

    def said(self, case: str) -> list[str]:
        """What the script printed for this case."""
        marker = f"{case}, "
        lines = self.printed.lines()
        return [words.removeprefix(marker) for words in lines if words.startswith(marker)]

    def made(self, case: str) -> list[tuple[Any, ...]]:
        """Tags and metadata of the instances that the script has made."""
        return sorted(
            _made(self.client.get(f"/instances/{found}").json(),
                  self.client.get(f"/instances/{found}/tags?simplify").json(),
                  self.client.get(f"/instances/{found}/metadata?expand").json())
            for found in self._found(case)
        )  # fmt: skip

    def _found(self, case: str) -> list[str]:
        query = {"Level": "Instance", "Query": {"PatientID": case}}
        return list(self.client.post("/tools/find", json=query).json())

    def _stored(self, instances: list[str]) -> Iterator[Dataset]:
        for each in instances:
            file = self.client.get(f"/instances/{each}/file")
            if file.status_code != 404:  # deleted since it was found
                yield dcmread(BytesIO(file.content))


def _seen(case: str, original: str, images: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        sorted(
            (ORIGINAL if image.SOPInstanceUID == original else ANOTHER, str(image.PatientName))
            for image in images
            if image.get("PatientID") == case
        )
    )


def _made(shown: dict[str, Any], tags: dict[str, Any], metadata: dict[str, str]) -> tuple[Any, ...]:
    mine = {"ReceptionDate", "PixelDataOffset"}
    told = sorted((name, value) for name, value in metadata.items() if name not in mine)
    # What does not fit into its character set is written in another one by us, see the differences.
    new = {"SOPInstanceUID", "SpecificCharacterSet"}
    kept = sorted((name, str(value)) for name, value in tags.items() if name not in new)
    return metadata.get("Origin"), shown["ParentSeries"], told, kept


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Node]]:
    folder = tmp_path_factory.mktemp("steps")
    cases = "\n".join(
        f"cases['{name}'] = function(id, print) {case.lua} end" for name, case in CASES.items()
    )
    with ExitStack() as stack:
        nodes = {}
        for name, begin in (("orthanc", _orthanc), ("gateway", _gateway)):
            copies = folder / f"{name}-copies"
            copies.mkdir()
            client, printed = begin(folder / name, SCRIPT.format(folder=copies, cases=cases), stack)
            nodes[name] = stack.enter_context(Node(client, printed, copies).surrounded())
        yield nodes


def _orthanc(folder: Path, script: str, stack: ExitStack) -> tuple[httpx.Client, Printed]:
    path = folder.with_suffix(".lua")
    path.write_text(script)
    server = stack.enter_context(orthanc_running(folder, LuaScripts=[str(path)]))
    return server.client, OrthancPrinted(folder / "orthanc.log")


def _gateway(folder: Path, script: str, stack: ExitStack) -> tuple[httpx.Client, Printed]:
    process = GatewayProcess(folder)
    process.script("steps.lua", script)
    stack.enter_context(process)
    client = stack.enter_context(client_of(f"http://127.0.0.1:{process.http_port}"))
    return client, GatewayPrinted(process.log)


@pytest.fixture(scope="module")
def originals(nodes: dict[str, Node]) -> dict[str, str]:
    """The SOP Instance UIDs of the images, which are in both servers now, by case."""
    uids = {}
    for number, case in enumerate(CASES, start=1):
        image = made_ct(
            number, PatientID=case, PatientName="BEFORE", StudyDescription="goes",
            AccessionNumber="A", StudyInstanceUID=f"1.2.{number}",
            SeriesInstanceUID=f"1.3.{number}",
        )  # fmt: skip
        uids[case] = image.SOPInstanceUID
        for node in nodes.values():
            node.store(file_bytes(image))
    return uids


@pytest.mark.parametrize("case", CASES)
def test_a_plan_does_what_it_does_in_orthanc(
    nodes: dict[str, Node], originals: dict[str, str], case: str
) -> None:
    expected = CASES[case]
    wanted = tuple(
        tuple(sorted(each)) for each in (expected.sent, expected.posted, expected.stored)
    )
    for name, node in nodes.items():
        found: list[Any] = []

        def as_expected(node: Node = node, found: list[Any] = found) -> bool:
            found[:] = node.outcome(case, originals[case])
            return tuple(found) == wanted

        try:
            wait_until(as_expected, TIMEOUT_S)
        except AssertionError as error:
            raise AssertionError(f"{name}: {found}, not {wanted}") from error
    orthanc, gateway = nodes["orthanc"], nodes["gateway"]
    assert gateway.made(case) == orthanc.made(case)
    if expected.said:
        assert gateway.said(case)[: len(expected.said)] == list(expected.said)
        assert orthanc.said(case)[: len(expected.said)] == list(expected.said)


def test_a_modified_instance_is_told_to_scripts_as_in_orthanc(
    nodes: dict[str, Node], originals: dict[str, str]
) -> None:
    for node in nodes.values():
        wait_until(lambda node=node: node.said("modify"), TIMEOUT_S)
        assert node.said("modify") == ["made from, true, Lua"]


def test_commands_get_a_file_of_the_image(
    nodes: dict[str, Node], originals: dict[str, str]
) -> None:
    for node in nodes.values():
        (copy,) = wait_until(lambda node=node: list(node.copies.iterdir()), TIMEOUT_S)
        wait_until(lambda copy=copy: copy.stat().st_size > 500, TIMEOUT_S)
        assert dcmread(copy).SOPInstanceUID == originals["command"]
