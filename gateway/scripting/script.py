"""One version of one script: its sources and settings, and the runtimes made of it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from gateway.config.models import Scripts
from gateway.errors import ScriptError, ScriptSyntaxError
from gateway.logs import logger
from gateway.model import Origin, OriginKind, Step
from gateway.scripting import header, primitives
from gateway.scripting.callbacks import CALLBACKS, FINALIZE, INITIALIZE
from gateway.scripting.header import LaneSettings
from gateway.scripting.options import PrimitiveRefused, Value
from gateway.scripting.outside import OutsideCalls, Runner
from gateway.scripting.primitives import Call, Plan
from gateway.scripting.runtime import Answer, Refused, Runtime, without_preamble
from gateway.scripting.shell import Outcome, Shell
from gateway.scripting.site import Site
from gateway.scripting.sources import Snapshot, speaks_of

log = logger("scripting")
# Legacy scripts hold whole files of instances in a string.
_LEGACY_MEMORY_MB = 1024


class Script:
    """A script as it was in one snapshot of its files. Only `used` changes.

    parts: the files that are run, in this order, in one runtime: later definitions replace earlier.
    """

    def __init__(
        self,
        name: str,
        files: Mapping[str, bytes],
        settings: LaneSettings,
        parts: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.settings = settings
        self.is_legacy = bool(parts)
        self.parts = tuple(parts) or (name,)
        self._files = files
        # Paths that the script came to need, also those it asked for in vain.
        self._used = set(self.parts)

    @classmethod
    def of(cls, name: str, snapshot: Snapshot, defaults: Scripts) -> "Script":
        """The script `name` of a snapshot. Raises ScriptSyntaxError: unreadable, wrong header."""
        if name in snapshot.faults:
            raise ScriptSyntaxError(str(snapshot.faults[name]))
        text = without_preamble(snapshot.files[name]).decode("utf-8", "replace")
        try:
            settings = header.parse(name, text, defaults)
        except header.HeaderInvalid as exc:
            raise ScriptSyntaxError(str(exc)) from exc
        return cls(name, snapshot.files, settings)

    @classmethod
    def legacy(
        cls, name: str, snapshot: Snapshot, parts: Sequence[str], defaults: Scripts
    ) -> "Script":
        """Several files as one script, as Orthanc's LuaScripts. Raises ScriptSyntaxError.

        Orthanc sets no limits: those here are wide. A header in the first file counts for all.
        """
        for part in parts:
            if part in snapshot.faults:
                raise ScriptSyntaxError(str(snapshot.faults[part]))
        wide = defaults.model_copy(
            update={
                "profile": "trusted",
                "concurrency": 1,
                "timeout_s": defaults.legacy_timeout_s,
                "memory_mb": max(defaults.memory_mb, _LEGACY_MEMORY_MB),
            }
        )
        first = cls.of(parts[0], snapshot, wide)
        return cls(name, snapshot.files, first.settings, parts)

    def sources(self) -> Iterator[tuple[str, bytes]]:
        """Name and text of each part."""
        return ((part, self._files[part]) for part in self.parts)

    def seems_to_define(self, callback: str) -> bool:
        """Whether its text, or that of a module which it may require, speaks of the callback."""
        return speaks_of(self._files, self._used, callback)

    @property
    def version(self) -> str:
        """Twelve hex digits over the script and the modules that it has required so far."""
        digest = hashlib.sha256()
        for path in sorted(self._used & self._files.keys()):
            digest.update(b"%d %s %d\n" % (len(path), path.encode(), len(self._files[path])))
            digest.update(self._files[path])
        return digest.hexdigest()[:12]

    def is_outdated_by(self, snapshot: Snapshot) -> bool:
        """True when a file that the script uses, or asked for, is different there."""
        return any(self._files.get(path) != snapshot.files.get(path) for path in tuple(self._used))

    def module(self, name: str) -> tuple[str, bytes] | None:
        """Path and source of what `require(name)` means in the script folder, if it is there."""
        stem = name.replace(".", "/")
        for path in (f"{stem}.lua", f"{stem}/init.lua"):
            self._used.add(path)
            if path in self._files:
                return path, self._files[path]
        return None


class LoadedScript:
    """A script in a runtime of its own: its main chunk and its Initialize have run.

    Used by one thread at a time. After ScriptTimedOut and ScriptOutOfMemory it must be closed.
    """

    def __init__(
        self,
        script: Script,
        site: Site,
        say: Callable[[str], None] | None = None,
        *,
        generation: int = 1,
        has_life: bool = True,
    ) -> None:
        """say: is told what the script prints, in place of the log. Raises ScriptError.

        generation: of what it hands to the gateway when no event makes it do so; see Origin.
        has_life: Initialize and Finalize are called.
        """
        self.script = script
        self._site = site
        self._say = say or self._log
        self._plan: Plan | None = None
        self._has_life = has_life
        self._own_generation = self._generation = generation
        settings = script.settings
        self._shell = Shell(lambda: self._runtime.seconds_left)
        runner = Runner(script.name, lambda: self.origin, lambda: self._runtime.seconds_left)
        self._outside = OutsideCalls(runner, site.outside)
        self._runtime = Runtime(
            settings.profile,
            memory_mb=settings.memory_mb,
            lua=settings.lua,
            host={
                "primitives": lambda: tuple(primitives.PLANNING),
                "plan": self._record,
                "ladder": self._ladder,
                "say": lambda text: self._say(_legible(text)),
                "read_module": script.module,
                "execute": self._execute,
                "popen": self._popen,
                "pipe_read": self._shell.read,
                "pipe_write": self._pipe_write,
                "pipe_close": self._shell.close,
                **site.rehearsal(self._outside.functions()),
            },
        )
        self._excursion = self._runtime.excursion
        self.callbacks: tuple[str, ...] = ()
        try:
            self._load()
        except ScriptError:
            self.close()
            raise

    def handle(
        self, callback: str, *arguments: object, cause: Origin | None = None
    ) -> Sequence[Step]:
        """What the script wants done. Raises ScriptError: then nothing is to be done.

        cause: of the instance that the event is about, if it is about one.
        """
        if cause is not None:
            self._generation = cause.generation + 1
        may_command = self.script.settings.profile == "trusted"
        plan = self._plan = Plan(self._site, generation=self._generation, may_command=may_command)
        try:
            self._runtime.call(callback, *arguments, timeout_s=self.script.settings.timeout_s)
        finally:
            self._plan = None
            self._generation = self._own_generation
        return plan.steps

    def ask(self, callback: str, *arguments: object, timeout_s: float) -> Answer:
        """What a filter answers; nothing can be planned: there is no event. Raises ScriptError."""
        return self._runtime.ask(callback, *arguments, timeout_s=timeout_s)

    @property
    def origin(self) -> Origin:
        """Of what the script hands to the gateway at this moment."""
        return Origin(OriginKind.LUA, generation=self._generation)

    @property
    def is_outside(self) -> bool:
        """Whether it waits for a command, a web service or the gateway; from any thread."""
        return self._excursion.is_out

    def finalize(self) -> None:
        """Tell the script that its runtime ends. Raises ScriptError."""
        if self._has_life:
            self._call_if_defined(FINALIZE.name)

    def close(self) -> None:
        """Forget the runtime, and end the commands that it has started and not waited for."""
        self._shell.end()
        self._outside.close()
        self._runtime.close()

    def interrupt(self) -> None:
        """From another thread: end the command or request that the script is waiting for."""
        self._shell.interrupt()
        self._outside.interrupt()

    def _load(self) -> None:
        for part, source in self.script.sources():
            self._runtime.compile(source, part)
            self._runtime.run(timeout_s=self.script.settings.timeout_s)
        self.callbacks = tuple(
            callback.name for callback in CALLBACKS if self._runtime.defines(callback.name)
        )
        if self._has_life:
            self._call_if_defined(INITIALIZE.name)

    def _call_if_defined(self, callback: str) -> None:
        if callback in self.callbacks:
            self._runtime.call(callback, timeout_s=self.script.settings.timeout_s)

    def _record(
        self, name: str, line: str, resource: Value, target: Value, *options: Value
    ) -> Value:
        try:
            return primitives.record(self._plan, name, Call(line, resource, target, options))
        except PrimitiveRefused as exc:
            raise Refused(str(exc)) from exc

    def _ladder(self, *names: Value) -> str:
        try:
            return primitives.transcode_ladder(*names)
        except PrimitiveRefused as exc:
            raise Refused(str(exc)) from exc

    def _log(self, text: str) -> None:
        log.info("script says", script=self.script.name, says=text)

    def _execute(self, command: str) -> Outcome:
        try:
            return self._shell.execute(command)
        except (OSError, ValueError) as exc:
            raise Refused(f"os.execute: cannot start a shell: {exc}") from exc

    def _popen(self, command: str, is_reader: bool) -> int:
        open_pipe = self._shell.open_reader if is_reader else self._shell.open_writer
        try:
            return open_pipe(command)
        except (OSError, ValueError) as exc:
            raise Refused(f"io.popen: cannot start a shell: {exc}") from exc

    def _pipe_write(self, handle: int, data: str) -> str | None:
        """Answers what went wrong."""
        try:
            self._shell.write(handle, data.encode("utf-8", "surrogateescape"))
        except BrokenPipeError as exc:
            return exc.strerror
        return None


def _legible(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def origin_table(origin: Origin) -> dict[str, str]:
    """The `origin` of a callback, as Orthanc has it: each kind with its own keys."""
    table = {"RequestOrigin": origin.kind.value}
    if origin.kind is OriginKind.DICOM:
        table |= {"RemoteAet": origin.calling_aet, "CalledAet": origin.called_aet}
    if origin.kind is OriginKind.REST:
        table |= {"Username": origin.username}
    if origin.kind is not OriginKind.LUA:
        table |= {"RemoteIp": origin.remote_ip}
    return table
