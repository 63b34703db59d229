"""A host with a folder, and a queue in memory."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripting_support import PACS, FakeQueue, FakeTags, Survivor

from gateway.config.models import Codecs, Scripts
from gateway.metrics import Metrics
from gateway.scripting import folder as folder_module
from gateway.scripting.host import ScriptHost
from gateway.scripting.site import Site as Known


class Site:
    """A script folder, and the host that runs what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue = FakeQueue()
        self.tags = FakeTags(PatientName="Doe^Jane", Modality="CT")
        self.metrics = Metrics()
        self.known = Known({"archive": PACS, "pacs": PACS}, Codecs().options())
        self.settings: dict[str, object] = {"timeout_s": 5}
        self.host: ScriptHost | None = None

    def start(self, **settings: object) -> None:
        self.host = ScriptHost(
            Scripts.model_validate({"folder": self.folder, **self.settings, **settings}),
            self.queue,
            self.tags,
            self.known,
            self.metrics,
            grace_s=0.3,
        )
        self.host.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        if self.host is not None:
            self.host.stop(timeout_s)
            self.host = None

    def write(self, name: str, source: str | bytes) -> None:
        """As the documentation asks: into a file beside it, then renamed over it."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(source if isinstance(source, bytes) else source.encode())
        temporary.replace(path)

    def count(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(metric, labels) or 0

    def until_runs(self, lane: str, *, other_than: str = "") -> str:
        """Wait until a version of the script runs without fault, and answer which."""

        def version() -> str:
            status = self.queue.statuses.get(lane, {"version": "", "fault": ""})
            return "" if status["fault"] or status["version"] == other_than else status["version"]

        return self.queue.until(version, f"{lane} runs a version other than {other_than!r}")

    def until_fault(self, lane: str) -> str:
        return self.queue.until(
            lambda: self.queue.statuses.get(lane, {"fault": ""})["fault"], f"{lane} has a fault"
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "scripts"
    folder.mkdir()
    before = set(threading.enumerate())
    site = Site(folder)
    yield site
    site.stop()
    left = [t for t in threading.enumerate() if t not in before]
    for thread in left:
        thread.join(5)
    assert not [thread for thread in left if thread.is_alive()]


@pytest.fixture
def quick_rescans(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is looked at all the time, for what nothing else notices."""
    monkeypatch.setattr(folder_module, "RESCAN_S", 0.1)


@pytest.fixture(scope="session")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Survivor]:
    """A process for scripts that may take theirs down, started by the first of them."""
    survivor = Survivor(tmp_path_factory.mktemp("survivor") / "log")
    yield survivor
    survivor.close()
