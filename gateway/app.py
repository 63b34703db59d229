"""Builds every part, starts and stops them in order: the only place that knows all of them."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from queue import Empty, SimpleQueue

from gateway import __version__
from gateway.codecs.processes import CodecPool
from gateway.config.models import Configuration
from gateway.config.orthanc_view import as_orthanc
from gateway.dicom.charsets import set_default_encoding
from gateway.dicom.site_dictionary import SiteElement, set_site_dictionary
from gateway.dimse.receiver import Receiver
from gateway.errors import DataFolderInUse
from gateway.follow.followers import Followers
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action
from gateway.ports import Codecs, Filters, Ingest, Reception
from gateway.rest.api import api_routes
from gateway.rest.application import Application
from gateway.rest.engine import JobEngine
from gateway.rest.health import Check, health_routes
from gateway.rest.in_process import InProcessApi
from gateway.rest.routes import Route
from gateway.rest.server import HttpServer
from gateway.rest.services import Services
from gateway.routing.crew import Crew, Means
from gateway.routing.events import LaneEvents
from gateway.routing.signal import Signal, WorkSignals
from gateway.scripting.filters import ScriptFilters
from gateway.scripting.host import ScriptHost
from gateway.scripting.site import Outside, Site
from gateway.store.arrivals import ArrivalTranscoding
from gateway.store.backfill import backfill
from gateway.store.bookmarks import BookmarkTable
from gateway.store.capacity import Capacity
from gateway.store.catalogue import Catalogue
from gateway.store.file_tags import FileTags
from gateway.store.ingest import StoreIngest
from gateway.store.jobs import JobTable
from gateway.store.key_values import KeyValueTable
from gateway.store.modalities import Destinations, Modalities
from gateway.store.opened import Store, open_store
from gateway.store.peers import Peers, configured_peers
from gateway.store.recovery import Recovery
from gateway.store.stability import Stability

log = logger("app")
_LOCK_NAME = "gateway.lock"
_JOBS_FOLDER = "jobs"
_GRACE_S = 20.0
_LOOK_FOR_SIGNALS_S = 0.5


class Wish(Enum):
    """What whoever runs a gateway is asked to do with it."""

    STOP = auto()
    RESTART = auto()


class Gateway:
    """One running gateway.

    start() answers when instances are taken. stop() answers when all is at rest: no new
    association, work in hand finished or given back, database closed; it can be started again.
    wishes: of clients and signals; a gateway cannot stop itself from one of its own threads.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._settings = configuration
        self._running = ExitStack()
        self.wishes: SimpleQueue[Wish] = SimpleQueue()  # signal handlers may put into it
        self.metrics = Metrics()
        self.dicom_port = 0
        self.http_port = 0
        self._inside: Inside | None = None

    @property
    def inside(self) -> "Inside":
        """Its parts, once it has been started."""
        if self._inside is None:
            raise RuntimeError("the gateway has not been started")
        return self._inside

    def start(self) -> None:
        """Recover, then start every part after those it needs. Raises GatewayError, OSError."""
        with ExitStack() as starting:
            self._start(starting)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop every part in the opposite order."""
        self._running.close()
        log.info("gateway stopped")

    def _start(self, running: ExitStack) -> None:
        settings = self._settings
        set_default_encoding(settings.dicom.default_encoding)
        set_site_dictionary(_site_elements(settings))
        running.enter_context(_only_one_process(settings.store.folder))
        stored, work = Signal(), WorkSignals()
        store = self._open_store(work, running)
        codecs = self._codecs()
        running.callback(codecs.close)
        filters = ScriptFilters(settings.scripts, self.metrics)
        capacity = self._capacity(store)
        ingest = self._ingest(store, stored, filters, codecs, capacity)
        self._start_workers(store, ingest, capacity, codecs, work, filters, running)
        receiver = Receiver(settings.dicom, ingest, self.metrics, filters)
        # Scripts call the routes, and wait for jobs, from their first moment to their last.
        interface = self._interface(store, ingest, codecs, receiver, filters)
        server = HttpServer(settings.http, interface.application, filters)
        running.callback(server.stop)
        interface.jobs.start()  # every kind of job is registered by its routes
        # Before the server, whose clients may be waiting for the end of a job.
        running.callback(interface.jobs.stop)
        self._start_scripts(store, stored, interface.site, filters, running)
        if settings.dicom.enabled:
            self.dicom_port = receiver.start()
        running.callback(receiver.stop, _GRACE_S)
        if settings.http.enabled:
            self.http_port = server.start()
        self._start_following(store, ingest, running)
        self._inside = Inside(store, ingest, interface.application, interface.site)
        log.info(
            "gateway started",
            version=__version__,
            aet=settings.dicom.aet,
            dicom_port=self.dicom_port,
            http_port=self.http_port,
            scripts=str(settings.scripts.folder),
            data=str(settings.store.folder),
        )

    def _open_store(self, work: WorkSignals, running: ExitStack) -> Store:
        """What the gateway keeps, brought in order after whatever happened before."""
        settings = self._settings.store
        store = open_store(settings.folder, work.notify)
        running.callback(store.close)
        Recovery(store.engine, store.committer, store.files, settings.duplicates).run()
        backfill(store.engine, store.committer, store.files)
        store.tasks.reset_running()
        return store

    def _start_scripts(
        self,
        store: Store,
        stored: Signal,
        site: Site,
        filters: ScriptFilters,
        running: ExitStack,
    ) -> None:
        settings = self._settings
        settings.scripts.folder.mkdir(parents=True, exist_ok=True)
        scripts = ScriptHost(
            settings.scripts,
            queue=LaneEvents(
                store.outbox,
                stored,
                {Action.FORWARD: site.destinations, Action.SEND_TO_PEER: site.peers},
            ),
            tags=FileTags(store.files, store.engine),
            site=site,
            metrics=self.metrics,
            filters=filters,
        )
        scripts.start()
        running.callback(scripts.stop)
        store.outbox.close_other_lanes(scripts.lanes)

    def _peers(self, store: Store) -> Peers:
        return Peers(store.engine, store.committer, configured_peers(self._settings.peers))

    def _start_following(self, store: Store, ingest: Ingest, running: ExitStack) -> None:
        bookmarks = BookmarkTable(store.engine, store.committer)
        followers = Followers(self._settings, ingest, bookmarks, self.metrics)
        running.callback(followers.stop, _GRACE_S)
        followers.start()

    def _modalities(self, store: Store) -> Modalities:
        return Modalities(self._settings.destinations, store.engine, store.committer)

    def _capacity(self, store: Store) -> Capacity:
        settings = self._settings.store
        return Capacity(
            store.engine,
            store.committer,
            maximum_bytes=settings.maximum_size_mb << 20,
            maximum_patients=settings.maximum_patients,
            recycles=settings.when_full == "recycle",
        )

    def _ingest(
        self, store: Store, stored: Signal, filters: Filters, codecs: Codecs, capacity: Capacity
    ) -> StoreIngest:
        settings = self._settings.store
        options = self._settings.codecs.options()
        return StoreIngest(
            store.files,
            store.committer,
            duplicates=settings.duplicates,
            minimum_free_bytes=settings.minimum_free_mb << 20,
            loop_limit=self._settings.scripts.loop_limit,
            metrics=self.metrics,
            on_stored=stored.notify,
            filters=filters,
            transcoding=ArrivalTranscoding(
                store.files, codecs, settings.transcode, options, self.metrics
            ),
            capacity=capacity,
        )

    def _codecs(self) -> CodecPool:
        settings = self._settings.codecs
        return CodecPool(
            processes=self._codec_processes,
            memory_mb=settings.memory_mb,
            timeout_s=settings.timeout_s,
        )

    @property
    def _codec_processes(self) -> int:
        return self._settings.codecs.processes or os.cpu_count() or 1

    def _start_workers(
        self,
        store: Store,
        ingest: StoreIngest,
        capacity: Capacity,
        codecs: CodecPool,
        work: WorkSignals,
        filters: Filters,
        running: ExitStack,
    ) -> None:
        means = Means(
            settings=self._settings,
            metrics=self.metrics,
            store=store,
            ingest=ingest,
            capacity=capacity,
            codecs=codecs,
            processes=self._codec_processes,
            modalities=self._modalities(store),
            peers=self._peers(store),
            signals=work,
            filters=filters,
        )
        crew = Crew(means)
        running.callback(crew.stop, _GRACE_S)
        crew.start()

    def _interface(
        self,
        store: Store,
        ingest: Ingest,
        codecs: Codecs,
        reception: Reception,
        filters: Filters,
    ) -> "_Interface":
        jobs = self._jobs(store)
        services = Services(
            settings=self._settings,
            metrics=self.metrics,
            store=store,
            catalogue=Catalogue(store.engine),
            ingest=ingest,
            codecs=codecs,
            reception=reception,
            jobs=jobs,
            stop=lambda: self.wishes.put(Wish.STOP),
            restart=lambda: self.wishes.put(Wish.RESTART),
            site=lambda: interface.site,
            filters=filters,
        )
        application = Application((*self._health_routes(store), *api_routes(services)))
        interface = _Interface(jobs, application, self._site(store, application))
        return interface

    def _site(self, store: Store, application: Application) -> Site:
        settings = self._settings
        outside = Outside(
            rest_api=InProcessApi(application),
            key_values=KeyValueTable(store.engine, store.committer),
            stable_status=self._stability(store),
            configuration=lambda: as_orthanc(settings),
            http_timeout_s=settings.scripts.http_timeout_s,
        )
        return Site(
            Destinations(self._modalities(store)),
            settings.codecs.options(),
            outside,
            self._peers(store),
            metadata_names={str(number): name for name, number in settings.rest.metadata.items()},
        )

    def _stability(self, store: Store) -> Stability:
        return Stability(store.engine, store.committer, self._settings.store.stable_age_s)

    def _jobs(self, store: Store) -> JobEngine:
        settings = self._settings.jobs
        return JobEngine(
            JobTable(store.engine, store.committer),
            self._settings.store.folder / _JOBS_FOLDER,
            workers=settings.concurrent or os.cpu_count() or 1,
            history=settings.history,
            durable=settings.durable,
        )

    def _health_routes(self, store: Store) -> tuple[Route, ...]:
        checks: dict[str, Check] = {
            "index": lambda: _problem_of(store.committer.check),
            "storage": lambda: _problem_of(store.files.free_bytes),
        }
        return health_routes(checks, self.metrics, lambda: _refresh_gauges(store, self.metrics))


@dataclass(frozen=True, slots=True)
class Inside:
    """What a running gateway works with, for those who want to try something on one."""

    store: Store
    ingest: Ingest
    application: Application
    site: Site


@dataclass(frozen=True, slots=True)
class _Interface:
    """The REST interface, the jobs that it submits, and what scripts reach."""

    jobs: JobEngine
    application: Application
    site: Site


def run(configuration: Configuration) -> int:
    """Run until SIGTERM, SIGINT or a client ends it, start anew when a client wishes that.

    Answers the exit code. Raises what Gateway.start() raises.
    """
    gateway = Gateway(configuration)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.wishes.put(Wish.STOP))
    gateway.start()
    while _next_wish(gateway.wishes) is Wish.RESTART:
        log.info("gateway restarting")
        gateway.stop()
        gateway.start()
    log.info("gateway stopping")
    gateway.stop()
    return 0


def _next_wish(wishes: "SimpleQueue[Wish]") -> Wish:
    """Wait for it. Python handles signals in this thread, but only this thread's own wake it: one
    that the system gives to another, which happens while that starts a command, is looked for.
    """
    while True:
        with suppress(Empty):
            return wishes.get(timeout=_LOOK_FOR_SIGNALS_S)


@contextmanager
def _only_one_process(folder: Path) -> Iterator[None]:
    """Hold the data folder. Raises DataFolderInUse, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataFolderInUse(f"another gateway runs on {folder}") from None
        yield


def _site_elements(settings: Configuration) -> Iterator[SiteElement]:
    for tag, entry in settings.dictionary.items():
        group, element = (int(digits, 16) for digits in tag.split(","))
        yield SiteElement(group, element, entry.vr, entry.name, entry.creator)


def _problem_of(check: Callable[[], object]) -> str | None:
    try:
        check()
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is the reason we are not ready
        return str(exc)
    return None


def _refresh_gauges(store: Store, metrics: Metrics) -> None:
    for state, count in store.board.counts().items():
        metrics.tasks.labels(state=state).set(count)
    for lane in store.outbox.lanes():
        metrics.events_waiting.labels(script=lane.lane).set(lane.events_waiting)
