"""Legacy scripts, a file each, in a real Orthanc and in the gateway: what each of them does.

All are loaded into one pair of servers. The first comment lines of a file say what it is about and
what is to happen:

-- image: Keyword=value, Keyword=value|value     an image for it; `@name` is one of MADE; or one
-- by: dicom AET                                 come by C-STORE from there; default: are uploaded
-- http: METHOD /path Header=value               a request to make, after the images
-- phase: 2                                      its images come when those of all others are done
-- sees: stored 1, archive 1, peer 1, web 1, says 1     how many of each there are in the end
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from dimse_support import CT, EXPLICIT, J2K, associated, storage_scp
from images import made_ct
from lua_pair import Scripted, scripted_pair
from orthanc_peer import Request
from pydicom import Dataset, dcmread
from rest_support import file_bytes
from scu import c_store
from web_support import Asked, Web, web_running

FOLDER = Path(__file__).with_name("peers") / "legacy"
DISPATCHER = Path(__file__).with_name("peers") / "legacy_scripts.lua"
_ROOT = "1.2.826.0.1.3680043.10.9"
_HEADER = re.compile(r"-- (image|by|http|phase|sees): ?(.*)")
KINDS = ("stored", "archive", "peer", "web", "says")
SITE_NAMES = """local names = {}
function names.short(text) return (text:match('%S+')) end
return names
"""


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _deep(image: Dataset) -> None:
    code = _item(CodeMeaning="three deep", CodeValue="0012")
    sop = _item(ReferencedSOPInstanceUID="1.2.3", PurposeOfReferenceCodeSequence=[code])
    first = _item(StudyDescription="first", ReferencedSOPSequence=[sop])
    image.ReferencedStudySequence = [first, _item(StudyDescription="second")]


def _rich(image: Dataset) -> None:
    _deep(image)
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.PixelSpacing = ["0.50", "0.25"]
    image.StudyDate, image.StudyTime = "20260131", "235959.5"
    image.PatientAge, image.PatientSex, image.PatientWeight = "042Y", "", "70.5"
    image.WindowCenter, image.RescaleSlope = ["40", "400"], "1.000000"
    image.SmallestImagePixelValue = 3
    image.ReconstructionDiameter = "1e2"
    image.SourceImageSequence = []
    image.ImageComments = " spaces  inside "


def _latin(image: Dataset) -> None:
    image.SpecificCharacterSet = "ISO_IR 100"
    image.PatientName = "M\u00fcller^Zo\u00eb"


def _private(image: Dataset) -> None:
    image.add_new(0x00290010, "LO", "OURS")
    image.add_new(0x00291010, "LO", "mine")


MADE: dict[str, Callable[[Dataset], None]] = {
    "deep": _deep,
    "rich": _rich,
    "latin": _latin,
    "private": _private,
}


@dataclass(frozen=True)
class LegacyScript:
    """One file of FOLDER. sees: how many of each of KINDS; images: Part 10 files.

    sender: by what AE title they are sent; '' when they are uploaded.
    """

    name: str
    source: str
    images: tuple[bytes, ...]
    sender: str
    phase: int
    requests: tuple[Request, ...]
    sees: dict[str, int]


def legacy_scripts() -> dict[str, LegacyScript]:
    """All, by name, in their order."""
    paths = sorted(FOLDER.glob("*.lua"))
    return {path.stem: _read(number, path) for number, path in enumerate(paths, start=1)}


def _read(number: int, path: Path) -> LegacyScript:
    said: dict[str, list[str]] = {}
    source = path.read_text()
    for key, value in _HEADER.findall(source):
        said.setdefault(key, []).append(value)
    images = [
        _image(f"{number}.{place}", number, path.stem, wanted)
        for place, wanted in enumerate(said.get("image", [""]), start=1)
    ]
    counts = dict(part.split() for part in said["sees"][0].split(", "))
    assert counts.keys() <= set(KINDS), path.name
    return LegacyScript(
        path.stem,
        source,
        tuple(map(file_bytes, images)),
        said.get("by", [""])[0].removeprefix("dicom").strip(),
        int(said.get("phase", ["1"])[0]),
        tuple(map(_request, said.get("http", []))),
        {kind: int(counts.get(kind, 0)) for kind in KINDS},
    )


def _image(uid: str, number: int, name: str, wanted: str) -> Dataset:
    image = made_ct(
        1, PatientID=name, PatientName=name, StudyDescription=name, SeriesDescription=name,
        SOPInstanceUID=f"{_ROOT}.1.{uid}", StudyInstanceUID=f"{_ROOT}.2.{number}",
        SeriesInstanceUID=f"{_ROOT}.3.{number}",
    )  # fmt: skip
    if wanted.startswith("@"):
        MADE[wanted[1:]](image)
        return image
    for part in filter(None, wanted.split(", ")):
        keyword, value = part.split("=")
        setattr(image, keyword, value.split("|") if "|" in value else value)
    return image


def _request(text: str) -> Request:
    method, path, *headers = text.split()
    return Request(method, path, headers=dict(header.split("=") for header in headers))


# --- where scripts send to ----------------------------------------------------------------------


@dataclass
class Surroundings:
    """What one of the servers sends to. sent: (calling title, syntax, data set) of each image."""

    web: Web
    ports: dict[str, int]
    sent: list[tuple[str, str, Dataset]] = field(default_factory=list)

    def posted(self) -> list[Asked]:
        """What has come to the peer by now."""
        return [each for each in tuple(self.web.requests) if each.path.startswith("/peer/")]

    def configuration(self, folder: Path) -> dict[str, Any]:
        """What of it stands in orthanc.json."""
        modalities = {name: [name.upper(), "127.0.0.1", port] for name, port in self.ports.items()}
        return {
            "DicomModalities": modalities,
            "OrthancPeers": {"cloud": [self.web.url("/peer/")]},
            "Site": {"Web": self.web.url(""), "Folder": str(folder), "Words": ["a", "b"]},
        }


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """A web server, a modality that takes everything, and one that refuses."""
    with ExitStack() as stack:
        around = Surroundings(stack.enter_context(web_running()), {"broken": 1})

        def take(event: Any) -> int:
            event.dataset.file_meta = event.file_meta
            calling = event.assoc.requestor.ae_title
            around.sent.append((calling, event.context.transfer_syntax, event.dataset))
            return 0x0000

        archive, _ = stack.enter_context(storage_scp(status=take))
        refusing, _ = stack.enter_context(storage_scp(status=0xA700))
        around.ports |= {"archive": archive, "research": archive, "refusing": refusing}
        yield around


# --- what they have done ------------------------------------------------------------------------

Outcome = dict[str, list[Any]]
_NEW = "1.2.3.4.5"
_NOT_ALIKE = {"DeidentificationMethod"}
_OWN_METADATA = {"ReceptionDate", "PixelDataOffset"}
_OWN_HEADERS = {"host", "expect", "user-agent", "accept-encoding"}


@dataclass(frozen=True)
class Node:
    """One of the two servers, and what it sends to."""

    scripted: Scripted
    around: Surroundings
    originals: frozenset[str]
    # What has come to the modality and the peer: who it belongs to, and what it is. Read once.
    _archived: list[tuple[str, list[Any]]] = field(default_factory=list)
    _posted: list[tuple[str, str]] = field(default_factory=list)

    @property
    def client(self) -> httpx.Client:
        return self.scripted.server.client

    def send(self, script: LegacyScript) -> None:
        """Bring the images of a script."""
        if script.sender:
            self._c_store(script)
            return
        for image in script.images:
            answer = self.client.post("/instances", content=image)
            assert answer.status_code == 200, answer.text

    def _c_store(self, script: LegacyScript) -> None:
        with associated(
            self.scripted.server.dicom_port, [(CT, [EXPLICIT]), (CT, [J2K])], script.sender,
            "SCRIPTED",
        ) as association:  # fmt: skip
            for image in script.images:
                assert c_store(association, dcmread(io.BytesIO(image))) == 0

    def outcome(self, name: str) -> Outcome:
        """What is to be seen of one script by now, by KINDS."""
        query = {"Level": "Instance", "Query": {"PatientID": f"{name}*"}}
        found = self.client.post("/tools/find", json=query).json()
        return self._outcome(name, self._stored(found))

    def outcomes(self, names: Iterable[str]) -> dict[str, Outcome]:
        """The same of many, which are looked at together."""
        stored = list(self._stored(self.client.get("/instances").json()))
        return {name: self._outcome(name, stored) for name in names}

    def _outcome(self, name: str, stored: Iterable[tuple[str, list[Any]]]) -> Outcome:
        self._look_at_what_came()
        return {
            "stored": sorted(shown for owner, shown in stored if owner == name),
            "archive": sorted(shown for owner, shown in self._archived if owner == name),
            "peer": sorted(shown for owner, shown in self._posted if owner == name),
            "web": list(self._asked(name)),
            "says": self.says(name),
        }

    def says(self, name: str) -> list[str]:
        """Its lines, without its name."""
        parts = (line.partition(", ") for line in self.scripted.says())
        return [words for said_by, _, words in parts if said_by == name]

    def jobs(self) -> list[tuple[str, str, int]]:
        """Type, state and error of each job but those of plans, which are none with us."""
        jobs = self.client.get("/jobs?expand").json()
        return sorted(
            (job["Type"], job["State"], job["ErrorCode"])
            for job in jobs
            if job["Type"] != "SequenceOfOperations"
        )

    def _stored(self, instances: Iterable[str]) -> Iterator[tuple[str, list[Any]]]:
        for each in instances:
            file = self.client.get(f"/instances/{each}/file")
            metadata = self.client.get(f"/instances/{each}/metadata?expand")
            if 404 in (file.status_code, metadata.status_code):
                continue  # deleted since it was found
            image = dcmread(io.BytesIO(file.content))
            told = {k: self._known(v) for k, v in metadata.json().items() if k not in _OWN_METADATA}
            yield _owner(image), [self._shown(image), json.dumps(told, sort_keys=True)]

    def _look_at_what_came(self) -> None:
        for calling, syntax, image in self.around.sent[len(self._archived) :]:
            self._archived.append((_owner(image), [calling, syntax, self._shown(image)]))
        for request in self.around.posted()[len(self._posted) :]:
            image = dcmread(io.BytesIO(request.body))
            shown = f"{request.method} {request.path} {self._shown(image)}"
            self._posted.append((_owner(image), shown))

    def _asked(self, name: str) -> Iterator[list[Any]]:
        for request in tuple(self.around.web.requests):
            if name in re.split(r"[/?=&]", request.path):
                headers = sorted(each for each in request.headers if each[0] not in _OWN_HEADERS)
                yield [request.method, request.path, headers, request.body]

    def _shown(self, image: Dataset) -> str:
        """All elements but what is new each time."""
        for element in image.iterall():
            if element.VR == "UI" and self._known(str(element.value)) == _NEW:
                element.value = _NEW
        for keyword in _NOT_ALIKE & set(image.dir()):
            delattr(image, keyword)
        return json.dumps(image.to_json_dict(), sort_keys=True)

    def _known(self, text: str) -> str:
        """A UID or identifier: that of an original, of the standard, or just a new one."""
        is_uid = re.fullmatch(r"[\d.]{12,64}", text) and not text.startswith("1.2.840.10008.")
        return _NEW if is_uid and text not in self.originals else text


def _owner(image: Dataset) -> str:
    return str(image.get("PatientID", "")).partition("+")[0]


@contextmanager
def legacy_pair(folder: Path, scripts: dict[str, LegacyScript]) -> Iterator[tuple[Node, Node]]:
    """A real Orthanc and a gateway, each with all the scripts and surroundings of its own."""
    sources = [DISPATCHER.read_text()]
    for name, script in scripts.items():
        sources += [script.source, f"legacy_keep('{name}')"]
    sources.append("legacy_begin()")
    images = [dcmread(io.BytesIO(each)) for script in scripts.values() for each in script.images]
    originals = frozenset(
        uid
        for image in images
        for uid in (image.SOPInstanceUID, image.SeriesInstanceUID, image.StudyInstanceUID)
    )
    with surroundings() as theirs, surroundings() as ours:
        own = {}
        for name, around in (("orthanc", theirs), ("gateway", ours)):
            work = folder / f"{name}-work"
            work.mkdir()
            (work / "site_names.lua").write_text(SITE_NAMES)
            own[name] = around.configuration(work)
        with scripted_pair(
            folder, sources, own, StableAge=1, LuaHeartBeatPeriod=1, UserMetadata={"note": 2000},
            UserContentType={"report": 2001}, JobsHistorySize=1000,
        ) as pair:  # fmt: skip
            yield Node(pair.orthanc, theirs, originals), Node(pair.gateway, ours, originals)
