"""The REST interface over a store of its own, called without a socket."""

import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from store_support import opened_store, store_ingest
from werkzeug import Response

from gateway.codecs.processes import CodecPool
from gateway.config.models import Configuration
from gateway.config.models import Store as StoreSettings
from gateway.config.orthanc_view import as_orthanc
from gateway.dicom import part10
from gateway.dimse.receiver import Receiver
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind, TranscodeOptions, TranscodeReport
from gateway.rest.api import api_routes
from gateway.rest.application import Application
from gateway.rest.errors import ApiError
from gateway.rest.in_process import InProcessApi
from gateway.rest.jobs import JobKind, JobOutput, JobState, JobView
from gateway.rest.services import Services
from gateway.scripting.site import Outside, Site
from gateway.store.catalogue import Catalogue
from gateway.store.key_values import KeyValueTable
from gateway.store.stability import Stability

LUA = Origin(OriginKind.LUA, remote_ip="127.0.0.1")
MODALITY = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")


def bundled(name: str) -> Path:
    """A file that comes with pydicom; never downloads one."""
    found = get_charset_files(name) or [get_testdata_file(name, download=False)]
    if found[0] is None:
        pytest.skip(f"this pydicom does not bring {name}")
    return Path(found[0])


def real_file(name: str) -> Path:
    """A file of the folder of real ones, such as "odd/PrivateTags.dcm"; skips without it."""
    folder = os.environ.get("GATEWAY_TEST_DATA")
    if not folder:
        pytest.skip("GATEWAY_TEST_DATA names no folder with real files")
    return Path(folder) / name


def file_bytes(image: Dataset, syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a Part 10 file."""
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax_uid
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


class LazyCodecs:
    """The real codec processes, started by the first who transcodes; close() it."""

    def __init__(self) -> None:
        self._pool: CodecPool | None = None
        self._starting = threading.Lock()

    def transcode(
        self, source: Path, target: Path, ladder: Sequence[str], options: TranscodeOptions
    ) -> TranscodeReport:
        """See the port."""
        with self._starting:
            if self._pool is None:
                self._pool = CodecPool(processes=1, memory_mb=1024, timeout_s=60)
        return self._pool.transcode(source, target, ladder, options)

    def close(self) -> None:
        """End the processes, if there are any."""
        if self._pool is not None:
            self._pool.close()


class JobsAtOnce:
    """Stands in for the engine of jobs: each is done before submit() returns."""

    def __init__(self, outputs: Path) -> None:
        self._outputs = outputs
        self._kinds: dict[str, JobKind] = {}
        self.done: dict[str, JobView] = {}

    def register(self, kind: JobKind) -> None:
        """See Jobs."""
        self._kinds[kind.name] = kind

    def submit(self, kind: str, request: Mapping[str, Any], priority: int = 0) -> str:
        """See Jobs."""
        return self.run(kind, request, priority).job_id

    def run(self, kind: str, request: Mapping[str, Any], priority: int = 0) -> JobView:
        """See Jobs."""
        known, now = self._kinds[kind], datetime.now(UTC)
        running = _RunningAtOnce(f"job-{len(self.done) + 1}", self._outputs)
        running.content.update(known.describe(request))
        view = JobView(
            running.job_id, kind, JobState.SUCCESS, priority, 100, running.content, 0, "",
            now, now, 0.0,
        )  # fmt: skip
        try:
            known.work(running, request)
        except ApiError as error:
            number, details = error.fault.number, error.details
            view = replace(view, state=JobState.FAILURE, error_code=number, error_details=details)
        self.done[view.job_id] = view
        return view

    def list(self) -> list[JobView]:
        """See Jobs."""
        return [view for _, view in sorted(self.done.items())]

    def view(self, job_id: str) -> JobView | None:
        """See Jobs."""
        return self.done.get(job_id)

    def cancel(self, job_id: str) -> bool:
        """See Jobs: it has ended."""
        return job_id in self.done

    def pause(self, job_id: str) -> bool:
        """See Jobs: it has ended."""
        return job_id in self.done

    def resume(self, job_id: str) -> bool:
        """See Jobs: none is paused."""
        return False

    def resubmit(self, job_id: str) -> bool:
        """See Jobs: none waits for that."""
        return False

    def output(self, job_id: str, name: str) -> JobOutput | None:
        """See Jobs; an archive is all that a job makes."""
        path = self._outputs / job_id / name
        return JobOutput(path, "application/zip") if path.is_file() else None

    def delete_output(self, job_id: str, name: str) -> bool:
        """See Jobs."""
        output = self.output(job_id, name)
        if output is not None:
            output.path.unlink()
        return output is not None


@dataclass
class _RunningAtOnce:
    job_id: str
    outputs: Path
    content: dict[str, Any] = field(default_factory=dict)

    def progress(self, done: int, of: int) -> None: ...

    def tell(self, **content: Any) -> None:
        self.content.update(content)

    def output(self, name: str, media_type: str) -> Path:
        folder = self.outputs / self.job_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name


class GatewayApi:
    """All routes over one store; close() it.

    `api.get_json("/instances")`, `api.post("/instances", data)`, `api.store(made_ct(1))`.
    """

    def __init__(
        self, folder: Path, codecs: LazyCodecs, settings: Configuration | None = None
    ) -> None:
        self.stored_events = 0
        self.ended: list[str] = []
        self.settings = settings or Configuration(store=StoreSettings(folder=folder / "data"))
        metrics, store = Metrics(), opened_store(self.settings.store.folder)
        self.jobs = JobsAtOnce(folder / "outputs")
        ingest = store_ingest(
            store,
            duplicates=self.settings.store.duplicates,
            metrics=metrics,
            on_stored=self._count_stored,
        )
        self.services = Services(
            settings=self.settings,
            metrics=metrics,
            store=store,
            catalogue=Catalogue(store.engine),
            ingest=ingest,
            codecs=codecs,
            reception=Receiver(self.settings.dicom, ingest, metrics),
            jobs=self.jobs,
            stop=lambda: self.ended.append("stop"),
            restart=lambda: self.ended.append("restart"),
            site=lambda: self.site,
        )
        self.application = Application(api_routes(self.services))
        outside = Outside(
            InProcessApi(self.application),
            KeyValueTable(store.engine, store.committer),
            Stability(store.engine, store.committer, self.settings.store.stable_age_s),
            lambda: as_orthanc(self.settings),
            self.settings.scripts.http_timeout_s,
        )
        self.site = Site(self.settings.destinations, self.settings.codecs.options(), outside)

    def close(self) -> None:
        """Close the store."""
        self.services.store.close()

    def call(
        self,
        method: str,
        uri: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        origin: Origin = LUA,
    ) -> Response:
        """One request, as a script makes it."""
        return self.application.call(method, uri, body=body, headers=headers, origin=origin)

    def get(self, uri: str, **headers: str) -> Response:
        """GET."""
        return self.call("GET", uri, headers=headers)

    def get_json(self, uri: str) -> Any:
        """GET what has to be there, as JSON."""
        return self._as_json(self.get(uri), uri)

    def post(self, uri: str, body: bytes | str = b"", **headers: str) -> Response:
        """POST bytes, or text."""
        return self.call("POST", uri, _as_bytes(body), headers)

    def post_json(self, uri: str, body: Any) -> Any:
        """POST JSON, or bytes as they are; the answer, which has to be 200, as JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._as_json(self.call("POST", uri, sent), uri)

    def put(self, uri: str, body: bytes | str = b"", **headers: str) -> Response:
        """PUT bytes, or text."""
        return self.call("PUT", uri, _as_bytes(body), headers)

    def delete(self, uri: str, **headers: str) -> Response:
        """DELETE."""
        return self.call("DELETE", uri, headers=headers)

    def store(self, what: Dataset | Path, origin: Origin = MODALITY) -> str:
        """Keep a made image, or a file, as if it had been received; answers the instance id."""
        data = what.read_bytes() if isinstance(what, Path) else file_bytes(what)
        path = self.settings.store.folder / "to-be-stored"
        path.write_bytes(data)
        meta = part10.read_meta(path)
        path.unlink()
        with self.services.ingest.begin(
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            origin=origin,
        ) as arrival:
            arrival.write(data[meta.data_set_offset :])
            return arrival.keep()

    def store_all(self, what: Iterable[Dataset | Path]) -> list[str]:
        """Keep several; the instance ids."""
        return [self.store(each) for each in what]

    def file_of(self, instance_id: str) -> Path:
        """Where the file of an instance is."""
        version = self.services.catalogue.version(instance_id)
        assert version is not None
        return self.services.store.files.path(version.storage_key)

    def _as_json(self, response: Response, uri: str) -> Any:
        assert response.status_code == 200, f"{uri}: {response.status} {response.get_data()!r}"
        return response.get_json(force=True)

    def _count_stored(self) -> None:
        self.stored_events += 1


@contextmanager
def unchanged(api: GatewayApi) -> Iterator[GatewayApi]:
    """Lend a test what it shares with others: it may ask, and be refused, but change nothing."""
    before = _state_of(api)
    yield api
    assert _state_of(api) == before, "a test has changed what it shares with others"


def _state_of(api: GatewayApi) -> list[Any]:
    shown = ("/changes?last", "/statistics", "/jobs", "/peers", "/modalities")
    return [api.get_json(uri) for uri in shown]


def _as_bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
