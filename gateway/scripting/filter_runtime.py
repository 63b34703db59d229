"""One runtime that answers questions, in a thread of its own.

Whoever asks waits with a limit. So a script that hangs in a C function, which no limit of a runtime
can end, costs a thread of ours and not that of an association or of a client.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

from gateway.errors import ScriptError, ScriptOutOfMemory, ScriptTimedOut
from gateway.logs import logger
from gateway.scripting.runtime import Answer
from gateway.scripting.script import LoadedScript, Script
from gateway.scripting.site import Site

log = logger("scripting")
# How long past its limit an answer is waited for.
GRACE_S = 1.0


class Stuck(Exception):
    """The runtime did not come back: it must not be asked again."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call of a callback whose result matters. timeout_s: how long it may take."""

    callback: str
    arguments: tuple[object, ...]
    timeout_s: float


class FilterRuntime:
    """Loads the script when it is started; then answers one question at a time."""

    def __init__(self, script: Script, site: Site) -> None:
        self._script = script
        self._site = site
        self._questions: SimpleQueue[tuple[Question, Future[Answer]] | None] = SimpleQueue()
        self._loaded: LoadedScript | None = None
        self._callbacks: frozenset[str] = frozenset()
        self.thread = threading.Thread(target=self._run, name=f"filter {script.name}", daemon=True)

    def start(self, on_loaded: Callable[["FilterRuntime", ScriptError | None], None]) -> None:
        """Begin to load; on_loaded is called once, in that thread, with what went wrong."""
        self._on_loaded = on_loaded
        self.thread.start()

    def defines(self, callback: str) -> bool:
        """Whether the script, as it was loaded, has that callback."""
        return callback in self._callbacks

    @property
    def is_outside(self) -> bool:
        """Whether it waits for something that may itself have to ask a filter."""
        loaded = self._loaded
        return loaded is not None and loaded.is_outside

    def ask(self, question: Question) -> Answer:
        """Wait for the answer. Raises ScriptError, Stuck."""
        future: Future[Answer] = Future()
        self._questions.put((question, future))
        try:
            return future.result(question.timeout_s + GRACE_S)
        except TimeoutError:
            raise Stuck from None

    def end(self) -> None:
        """No more questions: Finalize is called, and the thread ends. Does not wait."""
        self._questions.put(None)

    def interrupt(self) -> None:
        """End the command that the script is waiting for."""
        loaded = self._loaded
        if loaded is not None:
            loaded.interrupt()

    # --- its own thread --------------------------------------------------------------------------

    def _run(self) -> None:
        problem = self._load()
        self._on_loaded(self, problem)
        if self._loaded is None:
            return
        if self._answer_all(self._loaded):
            with suppress(ScriptError):
                self._loaded.finalize()
        loaded, self._loaded = self._loaded, None
        loaded.close()

    def _load(self) -> ScriptError | None:
        try:
            # Orthanc runs the legacy set a second time for its filters, without Initialize: what
            # that does, it does once.
            has_life = not self._script.is_legacy
            self._loaded = LoadedScript(self._script, self._site, has_life=has_life)
        except ScriptError as exc:
            return exc
        except Exception as exc:  # a border: our fault must reach whoever waits for an answer
            log.exception("script not loaded", script=self._script.name)
            return self._fault_of_ours(exc)
        self._callbacks = frozenset(self._loaded.callbacks)
        return None

    def _answer_all(self, loaded: LoadedScript) -> bool:
        """False when the runtime is of no use any more."""
        while (entry := self._questions.get()) is not None:
            question, future = entry
            try:
                future.set_result(
                    loaded.ask(question.callback, *question.arguments, timeout_s=question.timeout_s)
                )
            except ScriptError as exc:
                future.set_exception(exc)
                if is_spoilt_by(exc):
                    return False
            except Exception as exc:  # a border, as above
                log.exception("filter could not be asked", script=self._script.name)
                future.set_exception(self._fault_of_ours(exc))
                return False
        return True

    def _fault_of_ours(self, error: Exception) -> ScriptError:
        return ScriptFault(f"{self._script.name}: internal error {type(error).__name__}")


class ScriptFault(ScriptError):
    """Not the script's fault but ours; the log has the stack."""


def is_spoilt_by(error: ScriptError) -> bool:
    """Whether a runtime that raised this must be dropped."""
    return isinstance(error, ScriptTimedOut | ScriptOutOfMemory | ScriptFault)
