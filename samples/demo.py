"""The gateway's main job, on real images, in one command: `make demo`.

A modality sends images; samples/lua/AutomatedJpeg2kCompression.lua compresses each to JPEG 2000
Lossless and forwards it; an archive receives them; every pixel is compared. Then the gateway takes
the place of an Orthanc: it runs samples/orthanc/orthanc.json with its Lua scripts as they are.

Everything runs on loopback, in a folder that is removed afterwards. The exit code is 0 only when
every image arrived as it should, with the same pixels.
"""

import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.presentation import build_context
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.dicom.syntaxes import label
from gateway.dimse.files import send_files
from gateway.errors import GatewayError

SCRIPT = Path(__file__).parent / "lua" / "AutomatedJpeg2kCompression.lua"
ORTHANC_JSON = Path(__file__).parent / "orthanc" / "orthanc.json"
BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
# pydicom's own files whose samples fit JPEG 2000, and which pydicom decodes by itself, so that
# what we compare with does not come from the gateway's own decoders.
IMAGES = (
    "CT_small", "ExplVR_BigEnd", "GDCMJ2K_TextGBR", "MR_small", "MR_small_RLE",
    "MR_small_bigendian", "MR_small_expb", "MR_small_implicit", "MR_small_jp2klossless",
    "MR_small_padded", "SC_rgb_jpeg_dcmd", "SC_rgb_rle", "SC_rgb_rle_16bit",
    "SC_rgb_rle_16bit_2frame", "SC_rgb_rle_2frame", "SC_rgb_small_odd",
    "SC_rgb_small_odd_big_endian", "examples_jpeg2k", "examples_palette", "examples_rgb_color",
    "image_dfl",
)  # fmt: skip
MADE_SLICES = 12
TIMEOUT_S = 120.0

_terminal = Console()
# Where there is no terminal to fit into, the table takes the room that it needs.
console = _terminal if _terminal.is_terminal else Console(width=140)


@dataclass(frozen=True, slots=True)
class Sent:
    """One image as the modality has it."""

    name: str
    path: Path
    sop_instance_uid: str
    syntax_uid: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """One image as the archive got it."""

    file: bytes
    syntax_uid: str
    at: float


class Archive:
    """A storage SCP that keeps what it gets in memory."""

    def __init__(self) -> None:
        self.arrivals: dict[str, Arrived] = {}
        self.news: queue.SimpleQueue[str] = queue.SimpleQueue()
        entity = AE("ARCHIVE")
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(
                context.abstract_syntax, [JPEG2000Lossless, *build_context("1.2").transfer_syntax]
            )
        self._server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._on_store)]
        )
        self.port = self._server.server_address[1]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()

    def _on_store(self, event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.arrivals[uid] = Arrived(
            event.encoded_dataset(), str(event.context.transfer_syntax), time.monotonic()
        )
        self.news.put(uid)
        return 0x0000


@contextmanager
def listening() -> Iterator[Archive]:
    """An archive, for the length of a block."""
    archive = Archive()
    try:
        yield archive
    finally:
        archive.close()


def main() -> int:
    """Run the demo; answers the exit code."""
    # The images are old and famous for their oddities; pydicom warns of each.
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="gateway-demo-"))
    try:
        images = gather(folder / "images")
        return compress_on_arrival(images, folder) or replace_an_orthanc(images, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compress_on_arrival(images: list[Sent], folder: Path) -> int:
    """The first act; answers the exit code."""
    with listening() as archive, compressing_gateway(folder, archive.port) as port:
        sent_at = send(images, port, called_aet="GATEWAY")
        wait_for(archive, len(images))
    return report(images, archive.arrivals, sent_at)


def replace_an_orthanc(images: list[Sent], folder: Path) -> int:
    """The second act; answers the exit code. Its scripts send copies that name the institution."""
    made = [image for image in images if image.name.startswith("made")]
    with listening() as archive, gateway_of_orthanc(folder, archive.port) as port:
        send(made, port, called_aet="EASTWING")
        wait_for(archive, len(made))
    copies = [pydicom.dcmread(BytesIO(arrived.file)) for arrived in archive.arrivals.values()]
    originals = {each.InstanceNumber: each for each in (pydicom.dcmread(x.path) for x in made)}
    good = sum(
        copy.InstitutionName == "East wing"
        and copy.PixelData == originals[copy.InstanceNumber].PixelData
        for copy in copies
    )
    console.print(
        f"In place of an Orthanc, with its orthanc.json and Lua scripts as they are: {good} of"
        f" {len(made)} images arrived, changed as its scripts say, with the same pixels."
    )
    return 0 if good == len(made) else 1


def gather(folder: Path) -> list[Sent]:
    """The images, each with a SOP Instance UID of its own: some of the files share theirs."""
    folder.mkdir(parents=True)
    sent = []
    for name in IMAGES:
        dataset = pydicom.dcmread(BUNDLED / f"{name}.dcm")
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        sent.append(save(name, dataset, folder))
    series = (generate_uid(), generate_uid())
    for number in range(1, MADE_SLICES + 1):
        sent.append(save(f"made CT, slice {number}", made_slice(number, *series), folder))
    return sent


def save(name: str, dataset: Dataset, folder: Path) -> Sent:
    """Write one image into the folder."""
    path = folder / f"{dataset.SOPInstanceUID}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return Sent(name, path, str(dataset.SOPInstanceUID), str(dataset.file_meta.TransferSyntaxUID))


def made_slice(number: int, study_uid: str, series_uid: str) -> Dataset:
    """A slice of a ball with some noise: 512 x 512, 16 bits, signed, in Hounsfield units."""
    y, x = np.mgrid[-256:256, -256:256]
    radius = 200 - 8 * abs(number - MADE_SLICES // 2)
    noise = np.random.default_rng(number).normal(0, 15, (512, 512))
    pixels = np.where(x**2 + y**2 < radius**2, 40, -1000) + noise
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
    dataset.PatientID, dataset.PatientName = "DEMO", "Demo^Ball"
    dataset.Modality, dataset.InstanceNumber = "CT", number
    dataset.Rows = dataset.Columns = 512
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    dataset.add_new("PixelData", "OW", pixels.astype("<i2").tobytes())
    return dataset


@contextmanager
def compressing_gateway(folder: Path, archive_port: int) -> Iterator[int]:
    """`gateway run` with the sample script in its drop folder; gives its DICOM port."""
    scripts = folder / "scripts"
    scripts.mkdir()
    shutil.copy(SCRIPT, scripts)
    port, http_port = free_port(), free_port()
    configuration = folder / "gateway.toml"
    configuration.write_text(
        f"dicom.port = {port}\n"
        f"http.port = {http_port}\n"
        "store.folder = 'data'\n"
        "scripts.folder = 'scripts'\n"
        "log.level = 'warning'\n"
        f"destinations.archive = {{ aet = 'ARCHIVE', host = '127.0.0.1', port = {archive_port} }}\n"
    )
    with running_gateway(["--config", str(configuration)], {}, http_port):
        yield port


@contextmanager
def gateway_of_orthanc(folder: Path, archive_port: int) -> Iterator[int]:
    """`gateway run` with the configuration of an Orthanc; gives its DICOM port."""
    port, http_port = free_port(), free_port()
    variables = {
        "EASTWING_DICOM_PORT": str(port),
        "EASTWING_HTTP_PORT": str(http_port),
        "EASTWING_DATA": str(folder / "db"),
        "ARCHIVE_PORT": str(archive_port),
        "GATEWAY_LOG__LEVEL": "error",
    }
    with running_gateway(["--orthanc-config", str(ORTHANC_JSON)], variables, http_port):
        yield port


@contextmanager
def running_gateway(
    arguments: Sequence[str], variables: Mapping[str, str], http_port: int
) -> Iterator[None]:
    """`gateway run`, for the length of a block. variables: of its environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", *arguments], env=os.environ | variables
    )
    try:
        wait_until_ready(process, http_port)
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(process: "subprocess.Popen[bytes]", http_port: int) -> None:
    """Return when the gateway takes images. Raises SystemExit when it does not start."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            urlopen(f"http://127.0.0.1:{http_port}/readyz", timeout=5).close()
        except (URLError, OSError):
            if process.poll() is not None:
                raise SystemExit("the gateway did not start") from None
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the gateway did not get ready")


def send(images: list[Sent], port: int, *, called_aet: str) -> dict[Path, float]:
    """Send as a modality does; answers when each image was acknowledged."""
    acknowledged: dict[Path, float] = {}
    with progress("sending") as bar:
        task = bar.add_task("modality → gateway", total=len(images))

        def on_result(path: Path, error: GatewayError | None) -> None:
            bar.advance(task)
            if error is None:
                acknowledged[path] = time.monotonic()
            else:
                console.print(f"[red]{path.name}: {error}")

        send_files(
            [image.path for image in images],
            "127.0.0.1",
            port,
            called_aet=called_aet,
            calling_aet="MODALITY",
            on_result=on_result,
        )
    return acknowledged


def wait_for(archive: Archive, images: int) -> None:
    """Wait until so many images have arrived, or nothing has come for TIMEOUT_S."""
    with progress("arriving") as bar:
        task = bar.add_task("gateway → archive ", total=images)
        while len(archive.arrivals) < images:
            try:
                archive.news.get(timeout=TIMEOUT_S)
            except queue.Empty:
                return
            bar.update(task, completed=len(archive.arrivals))
        bar.update(task, completed=images)


def progress(name: str) -> Progress:
    """A progress bar on a terminal; nothing elsewhere."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip


def report(
    images: list[Sent], arrivals: dict[str, Arrived], acknowledged: dict[Path, float]
) -> int:
    """Compare and print the table; answers the exit code."""
    table = Table(title="From the modality to the archive, through one Lua script")
    for heading in ("image", "syntax before", "after"):
        table.add_column(heading)
    for heading in ("bytes before", "after", "ratio", "ms"):
        table.add_column(heading, justify="right")
    table.add_column("pixels")
    good = 0
    for image in images:
        arrived = arrivals.get(image.sop_instance_uid)
        verdict = compare(image, arrived)
        good += verdict == "same"
        if arrived is None:
            table.add_row(image.name, label(image.syntax_uid), "-", "-", "-", "-", "-", verdict)
            continue
        before, after = image.path.stat().st_size, len(arrived.file)
        waited_ms = (arrived.at - acknowledged.get(image.path, arrived.at)) * 1000
        table.add_row(
            image.name, label(image.syntax_uid), label(arrived.syntax_uid), f"{before:,}",
            f"{after:,}", f"{before / after:.2f}", f"{max(waited_ms, 0):.0f}", verdict,
            style="" if verdict == "same" else "red",
        )  # fmt: skip
    console.print(table)
    console.print(
        f"{good} of {len(images)} images arrived as JPEG 2000 Lossless with the same pixels. "
        "(ms: from the gateway's acknowledgement to the arrival; images wait for each other.)"
    )
    return 0 if good == len(images) else 1


def compare(image: Sent, arrived: Arrived | None) -> str:
    """`same`, or what is wrong."""
    if arrived is None:
        return "MISSING"
    if arrived.syntax_uid != JPEG2000Lossless:
        return "OTHER SYNTAX"
    before = pixel_array(pydicom.dcmread(image.path))
    after = pixel_array(pydicom.dcmread(BytesIO(arrived.file)))
    return "same" if np.array_equal(before, after) else "DIFFERENT"


if __name__ == "__main__":
    sys.exit(main())
