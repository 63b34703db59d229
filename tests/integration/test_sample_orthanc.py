"""samples/orthanc as it is, with other ports: where docs/moving-from-orthanc.md starts."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from archive import Archive
from dimse_support import associated
from gateway_process import ENVIRONMENT, GATEWAY, GatewayProcess
from images import made_ct
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from rest_support import file_bytes
from scu import c_store
from waiting import wait_until

pytestmark = pytest.mark.slow

ORTHANC_JSON = Path(__file__).parents[2] / "samples" / "orthanc" / "orthanc.json"
TITLE = "EASTWING"


class EastWing(GatewayProcess):
    """The gateway in place of that Orthanc, and its two modalities."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.archive, self.reading = Archive(), Archive()
        self.storage = folder / "db"
        self.environment = {
            "EASTWING_DICOM_PORT": str(self.port),
            "EASTWING_HTTP_PORT": str(self.http_port),
            "EASTWING_DATA": str(self.storage),
            "EASTWING_PASSWORD": "secret",
            "ARCHIVE_PORT": str(self.archive.port),
            "READING_PORT": str(self.reading.port),
            "GATEWAY_STORE__MINIMUM_FREE_MB": "0",
            "GATEWAY_STORE__STABLE_AGE_S": "1",
        }

    def run_arguments(self) -> Sequence[str]:
        """See GatewayProcess."""
        return ["--orthanc-config", str(ORTHANC_JSON)]

    def start(self, **environment: str) -> None:
        """See GatewayProcess."""
        super().start(**self.environment)

    def examine(self, command: str) -> subprocess.CompletedProcess[str]:
        """What a command says of the same configuration."""
        return subprocess.run(
            [*GATEWAY, command, *self.run_arguments()],
            env=ENVIRONMENT | self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def ask(self, path: str) -> Any:
        url = f"http://127.0.0.1:{self.http_port}{path}"
        return httpx.get(url, auth=("eastwing", "secret"), timeout=30).json()

    def says(self) -> list[object]:
        return [line["says"] for line in self.events("script says")]

    def send(self, *images: Dataset) -> None:
        with associated(self.port, called_aet=TITLE) as association:
            for image in images:
                file_bytes(image)  # which gives it its file meta information
                assert c_store(association, image) == 0


@pytest.fixture
def east_wing(tmp_path: Path) -> Iterator[EastWing]:
    east_wing = EastWing(tmp_path)
    with east_wing.archive.listening(), east_wing.reading.listening(), east_wing:
        yield east_wing
        assert east_wing.terminate() == 0


def arrived(archive: Archive, instances: int) -> list[Dataset]:
    archive.wait_for(instances)
    return [dcmread(DicomBytesIO(each), force=True) for each in archive.files.values()]


def test_everything_that_the_scripts_did_goes_on(east_wing):
    east_wing.send(made_ct(1, Modality="MG"), made_ct(2, OperatorsName="X"))
    east_wing.send(made_ct(3, Modality="PR"))

    copies = arrived(east_wing.archive, 2)
    assert {copy.InstitutionName for copy in copies} == {"East wing"}
    assert not any("OperatorsName" in copy for copy in copies)
    (original,) = arrived(east_wing.reading, 1)
    assert original.SOPInstanceUID == made_ct(1).SOPInstanceUID
    # The copies are deleted, the presentation state was never kept.
    wait_until(lambda: len(east_wing.ask("/instances")) == 2, 30)
    (study,) = east_wing.ask("/studies")
    complete = f"complete, {study}, 1 series, 2 images sent"
    wait_until(lambda: complete in east_wing.says(), 30)
    assert "routing for, East wing" in east_wing.says()
    assert [each.name for each in east_wing.storage.iterdir()] == ["gateway"]


def test_nothing_is_wrong_with_it(tmp_path):
    east_wing = EastWing(tmp_path)
    for command in ("check", "check-scripts"):
        checked = east_wing.examine(command)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "filters.lua" in checked.stdout
    assert "nothing to say" in checked.stdout
