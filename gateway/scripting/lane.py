"""A lane: one script, its events, and the workers that handle them."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from gateway.errors import ScriptError, ScriptSyntaxError
from gateway.logs import logger
from gateway.model import Event
from gateway.scripting.failures import report_failure
from gateway.scripting.handling import Handler
from gateway.scripting.inbox import Inbox
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.surroundings import Stopping, Surroundings
from gateway.scripting.unusable import Unusable
from gateway.scripting.watch import GivenUp
from gateway.scripting.worker import Worker, finalize, stuck_error

log = logger("scripting")
# A thread that hangs in a C function may burn a core; a script that makes more of them is stopped.
_MAXIMUM_STUCK = 4


class Lane:
    """Carries out what the folder says about one script name.

    Two versions matter: `latest` is what the file on disk says, whether it loads or not; the
    running one is the latest that loaded, and stays when a later one does not.
    """

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self._around = surroundings
        self._inbox = Inbox(name, surroundings.queue)
        self._handler = Handler(name, surroundings)
        self._telling = threading.Lock()  # the queue hears things in the order they happened
        self._is_open = False
        self._lock = threading.Lock()  # for what follows; never held while in Lua or in the queue
        self._is_removed = False
        self._beat_at_s = time.monotonic() + surroundings.heartbeat_s
        self._latest: Script | None = None
        self._running: Script | None = None
        self._spare: LoadedScript | None = None  # of the running version: it was tried with this
        self._callbacks: tuple[str, ...] = ()
        self._fault = ""
        self._workers: list[Worker] = []
        self._stuck: list[threading.Thread] = []

    # --- what the folder says --------------------------------------------------------------------

    @property
    def latest(self) -> Script | None:
        """The version tried last; None when the file could not even become one, or is gone."""
        return self._latest

    def open(self) -> None:
        """The file is there: from now on events wait for this lane, also while it has a fault."""
        with self._lock:
            self._is_removed = False
        with self._telling:
            if not self._is_open:
                self._around.persist(lambda: self._around.queue.opened(self.name))
                self._is_open = True

    def install(self, script: Script) -> None:
        """Try a new version, in a thread of its own; when it loads, it takes over."""
        with self._lock:
            self._latest = script
            self._around.filters.expect(script, self._around.site)
        threading.Thread(
            target=self._try, args=(script,), name=f"load {self.name}", daemon=True
        ).start()

    def refuse(self, unusable: Unusable) -> None:
        """The file on disk cannot become a version: the last good one goes on."""
        with self._lock:
            self._latest = None
            unknown = self._around.filters.refuse(self.name, unusable)
        error = unusable.error
        self._set_fault(ScriptSyntaxError(f"{error}; {unknown}") if unknown else error)

    def remove(self) -> None:
        """The file is gone: the lane ends after the events in hand."""
        with self._lock:
            self._is_removed = True
            self._latest = self._running = None
            self._fault = ""
            self._around.filters.remove(self.name)
        log.info("script removed", script=self.name)
        self._close_if_ended()

    def join(self, deadline_s: float) -> None:
        """The gateway stops: wait for the events in hand until then, and give back the rest."""
        for worker in tuple(self._workers):
            worker.join_or_abandon(max(0.0, deadline_s - time.monotonic()))

    # --- what its workers ask and say ------------------------------------------------------------

    def version_for(self, worker: Worker) -> Script | None:
        """See Employer."""
        with self._lock:
            if self._around.stopping.is_set() or self._running is None:
                return None
            wanted = self._workers[: self._running.settings.concurrency]
            return self._running if worker in wanted else None

    def beat_is_due(self) -> bool:
        """See Employer."""
        period_s, now_s = self._around.heartbeat_s, time.monotonic()
        with self._lock:
            if not period_s or now_s < self._beat_at_s:
                return False
            self._beat_at_s = now_s + period_s
            return True

    def load(self, script: Script, give_up: Callable[[], None]) -> LoadedScript:
        """See Employer."""
        spare = self._take_spare(script)
        if spare is not None:
            return spare
        try:
            loaded = self._around.watch.run(
                lambda: LoadedScript(script, self._around.site),
                limit_s=2 * script.settings.timeout_s,  # the main chunk, then Initialize
                give_up=give_up,
            )
        except (ScriptError, GivenUp):
            raise
        except Exception as exc:  # a border: our fault with one script must not end its lane
            log.exception("script not loaded", script=self.name)
            raise ScriptError(f"{self.name}: internal error {type(exc).__name__}") from exc
        self._clear_fault_of(script)
        return loaded

    def load_failed(self, script: Script, error: ScriptError) -> None:
        """See Employer."""
        with self._lock:
            is_latest = script is self._latest
        if is_latest:
            self._set_fault(error, script)

    def lost(self, worker: Worker, script: Script, event: Event | None) -> None:
        """See Employer."""
        successor = self._new_worker()
        if event is not None:
            successor.park_first(event, script)
        with self._lock:
            self._workers[self._workers.index(worker)] = successor
        self._give_up(script, worker.thread)
        successor.start()

    def left(self, worker: Worker) -> None:
        """See Employer."""
        with self._lock:
            self._workers.remove(worker)
        is_over = self._running is None or self._around.stopping.is_set()
        if is_over and (spare := self._take_spare(None)) is not None:
            self._retire(spare)
        self._staff()
        self._close_if_ended()

    # --- versions --------------------------------------------------------------------------------

    def _try(self, script: Script) -> None:
        thread = threading.current_thread()
        with suppress(GivenUp, Stopping):
            try:
                loaded = self.load(script, lambda: self._give_up(script, thread, on_trial=True))
            except ScriptError as exc:
                self.load_failed(script, exc)
            else:
                self._take_over(script, loaded)

    def _take_over(self, script: Script, loaded: LoadedScript) -> None:
        with self._lock:
            is_wanted = script is self._latest and not self._around.stopping.is_set()
            if is_wanted:
                self._running, self._callbacks, self._fault = script, loaded.callbacks, ""
                outdated, self._spare = self._spare, loaded
                self._around.filters.take_over(script, self._around.site, loaded.callbacks)
            else:
                outdated = loaded
        if outdated is not None:
            self._retire(outdated)
        if is_wanted:
            log.info(
                "script loaded",
                script=self.name,
                version=script.version,
                callbacks=" ".join(loaded.callbacks) or "none",
                profile=script.settings.profile,
                concurrency=script.settings.concurrency,
            )
            self._staff()
            self._tell()

    def _give_up(self, script: Script, thread: threading.Thread, *, on_trial: bool = False) -> None:
        """Called by the watch: a thread hangs in a C function. Must not wait for the queue."""
        error = stuck_error(script)
        log.error("script does not come back", script=self.name, reason=str(error))
        self._around.metrics.errors.labels(kind=error.kind).inc()
        with self._lock:
            self._stuck = [stuck for stuck in self._stuck if stuck.is_alive()] + [thread]
            if len(self._stuck) > _MAXIMUM_STUCK:
                self._running = None
                self._fault = (
                    f"stopped: {len(self._stuck)} of its threads hang in C functions;"
                    " events wait until the script is changed"
                )
            elif on_trial and script is self._latest:
                self._fault = str(error)
        threading.Thread(target=self._tell, name=f"tell {self.name}", daemon=True).start()

    def _retire(self, loaded: LoadedScript) -> None:
        """End a runtime that no worker has taken."""
        thread = threading.current_thread()
        finalize(loaded, self._around, lambda: self._give_up(loaded.script, thread))
        loaded.close()

    def _take_spare(self, script: Script | None) -> LoadedScript | None:
        """The spare runtime, when it is of this version; of any for None."""
        with self._lock:
            spare = self._spare
            if spare is None or (script is not None and spare.script is not script):
                return None
            self._spare = None
            return spare

    # --- faults and the queue --------------------------------------------------------------------

    def _set_fault(self, error: ScriptError, script: Script | None = None) -> None:
        with self._lock:
            is_known = self._fault == str(error)
            self._fault = str(error)
            goes_on = self._running not in (None, script)
        if is_known:
            return
        report_failure(
            self._around.metrics,
            "script not loaded",
            error,
            script=self.name,
            consequence="the last good version goes on" if goes_on else "its events wait",
            refused=" ".join(sorted(self._around.filters.refused(self.name))) or "nothing",
        )
        self._tell()

    def _clear_fault_of(self, script: Script) -> None:
        with self._lock:
            is_over = script is self._running is self._latest and self._fault != ""
            if is_over:
                self._fault = ""
        if is_over:
            self._tell()

    def _tell(self) -> None:
        """Let `gateway scripts` see how things are."""
        with suppress(Stopping), self._telling:
            with self._lock:
                running, fault = self._running, self._fault
                callbacks = self._callbacks if running else ()
            version = running.version if running else ""
            self._around.persist(
                lambda: self._around.queue.status(
                    self.name, script_version=version, callbacks=callbacks, fault=fault
                )
            )

    def _close_if_ended(self) -> None:
        with suppress(Stopping), self._telling:
            with self._lock:
                has_ended = self._is_removed and not self._workers
            if has_ended and self._is_open:
                self._inbox.forget()
                self._around.persist(lambda: self._around.queue.closed(self.name))
                self._is_open = False

    # --- workers ---------------------------------------------------------------------------------

    def _new_worker(self) -> Worker:
        return Worker(self, self._inbox, self._handler, self._around)

    def _staff(self) -> None:
        """Start the workers that are missing; those too many end by themselves."""
        with self._lock:
            wanted = self._running.settings.concurrency if self._running else 0
            missing = 0 if self._around.stopping.is_set() else max(0, wanted - len(self._workers))
            hired = [self._new_worker() for _ in range(missing)]
            self._workers += hired
        for worker in hired:
            worker.start()
