"""The runtimes in which one version of a script filters: as many as are asked at the same time."""

import threading
import time

from gateway.errors import ScriptError, ScriptSyntaxError, ScriptTimedOut
from gateway.scripting.filter_runtime import FilterRuntime, Question, Stuck, is_spoilt_by
from gateway.scripting.runtime import Answer
from gateway.scripting.script import Script
from gateway.scripting.site import Site

# A thread that hangs in a C function may burn a core: with more of them nothing is asked any more.
_MAXIMUM_STUCK = 4
# A runtime that begins to wait outside tells nobody.
_LOOK_EVERY_S = 0.05


class Undefined(Exception):
    """The script does not define that callback after all."""


class NotAsked(ScriptError):
    """No runtime of the script was to be had in time."""

    kind = "script-busy"


class RefusingSet:
    """In place of the runtimes of files that cannot become a script: each question fails."""

    def __init__(self, error: ScriptError) -> None:
        self._error = error

    def warm(self) -> None:
        """Nothing gets ready."""

    def ask(self, question: Question) -> Answer:
        """Raises ScriptError: a new one, as each gathers its own stack."""
        raise ScriptSyntaxError(str(self._error))

    def close(self, *, interrupt: bool = False) -> None:
        """Nothing runs."""

    def join(self, deadline_s: float) -> None:
        """Nothing runs."""


class FilterSet:
    """Runtimes of their own, apart from the lane's; made when one is needed and none is free.

    The one that was used last is used first: a script that is asked one question after the other
    finds its variables as it left them.
    """

    def __init__(
        self, script: Script, site: Site, *, most: int, most_outside: int, patience_s: float
    ) -> None:
        """most: runtimes at the same time, beside those that wait outside.

        most_outside: a runtime that waits for a web service or a command may wait for the answer
        to the next question, and must not be in its way: so many of those do not count.
        patience_s: how long a question waits for a runtime.
        """
        self._script = script
        self._site = site
        self._most = most
        self._most_outside = most_outside
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._askers = self._loading = 0
        self._free: list[FilterRuntime] = []
        self._all: set[FilterRuntime] = set()  # also those that are still loading
        self._stuck: list[threading.Thread] = []
        self._problem: ScriptError | None = None  # of the last one that did not load
        self._is_closed = False

    def warm(self) -> None:
        """Have a runtime ready before the first question comes."""
        with self._changed:
            if not self._all:
                self._add()

    def ask(self, question: Question) -> Answer:
        """Answer the question. Raises ScriptError, NotAsked among them; Undefined."""
        runtime = self._take()
        healthy = True
        try:
            if not runtime.defines(question.callback):
                raise Undefined
            return runtime.ask(question)
        except ScriptError as exc:
            healthy = not is_spoilt_by(exc)
            raise
        except Stuck:
            healthy = False
            self._give_up(runtime)
            raise ScriptTimedOut(
                f"{self._script.name}: {question.callback} did not come back from one call of a C"
                f" function within its limit of {question.timeout_s:g} s, and was given up"
            ) from None
        finally:
            self._give_back(runtime, healthy=healthy)

    def close(self, *, interrupt: bool = False) -> None:
        """No more questions; runtimes end when they have answered, or are interrupted."""
        with self._changed:
            self._is_closed = True
            idle, self._free = self._free, []
            runtimes = tuple(self._all)
            self._changed.notify_all()
        for runtime in idle:
            runtime.end()
        if interrupt:
            for runtime in runtimes:
                runtime.interrupt()

    def join(self, deadline_s: float) -> None:
        """After close(): wait until then for the threads of the runtimes."""
        for runtime in tuple(self._all):
            runtime.thread.join(max(0.0, deadline_s - time.monotonic()))

    def _take(self) -> FilterRuntime:
        deadline_s = time.monotonic() + self._patience_s
        with self._changed:
            self._askers += 1
            try:
                self._until_one_is_free(deadline_s)
            finally:
                self._askers -= 1
            return self._free.pop()

    def _until_one_is_free(self, deadline_s: float) -> None:
        """The lock is held. Raises ScriptError, NotAsked among them."""
        has_added = False
        while not self._free:
            if self._is_closed:
                raise NotAsked(f"{self._script.name}: this version ends")
            problem = self._problem if has_added else None
            if problem and not self._all:
                raise problem
            # Others may take what was begun for this one: as many load as there are askers.
            is_short = self._loading < self._askers and not problem
            if is_short and self._inside() < self._most:
                self._add()
                has_added = True
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise NotAsked(
                    f"{self._script.name}: none of its {len(self._all)} runtimes for filters"
                    f" was free within {self._patience_s:g} s"
                )
            self._changed.wait(min(left_s, _LOOK_EVERY_S))

    def _inside(self) -> int:
        """How many count; the lock is held."""
        outside = sum(runtime.is_outside for runtime in self._all) if self._most_outside else 0
        return len(self._all) - min(outside, self._most_outside)

    def _add(self) -> None:
        """Start one more; the lock is held. Raises NotAsked."""
        self._stuck = [thread for thread in self._stuck if thread.is_alive()]
        if len(self._stuck) > _MAXIMUM_STUCK:
            raise NotAsked(
                f"{self._script.name}: {len(self._stuck)} of its threads hang in C functions; its"
                " filters are not asked until the script is changed"
            )
        runtime = FilterRuntime(self._script, self._site)
        runtime.start(self._loaded)  # which waits for the lock
        self._all.add(runtime)
        self._loading += 1

    def _loaded(self, runtime: FilterRuntime, problem: ScriptError | None) -> None:
        """Called in the runtime's thread."""
        with self._changed:
            self._loading -= 1
            self._problem = problem
            if problem is not None:
                self._all.discard(runtime)
            elif self._is_closed:
                runtime.end()
            else:
                self._free.append(runtime)
            self._changed.notify_all()

    def _give_back(self, runtime: FilterRuntime, *, healthy: bool) -> None:
        with self._changed:
            is_needed = healthy and self._inside() <= self._most
            if is_needed and not self._is_closed:
                self._free.append(runtime)
            else:
                runtime.end()  # also one that hangs: should it ever come back
            if not is_needed:
                self._all.discard(runtime)
            self._changed.notify_all()

    def _give_up(self, runtime: FilterRuntime) -> None:
        with self._changed:
            self._stuck.append(runtime.thread)
