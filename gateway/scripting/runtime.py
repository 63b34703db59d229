"""One Lua runtime: a script's globals, its limits, and the border between Lua and Python.

Rules that hold the process together, each with a test that breaks it:

- Nothing is ever assigned from Python into a table that a script can reach, and no method of such a
  table is called: lupa does both without protection, and partly with the GIL held.
- Only strings, numbers, booleans and nil leave Lua: no table (but its JSON text), no number that is
  huge or none, no string without a bound, and nothing at all of a call that passed a limit.
- Python pushes nothing while memory is short: a failed push ends the process.
- Text crosses as bytes: the runtime's encoding is Latin-1, in which every byte is a character, and
  what we put in or take out is UTF-8 underneath.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from lupa import LuaError, LuaMemoryError, lua54, luajit21

from gateway.errors import ScriptError, ScriptOutOfMemory, ScriptSyntaxError, ScriptTimedOut
from gateway.logs import logger

log = logger("scripting")

HostFunction = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class OfBytes:
    """A host function that gets strings as the bytes that they are, and not as text."""

    function: HostFunction


# Which Lua: LuaJIT, or Lua 5.4 for scripts with the syntax and the integers of 5.3.
Dialect = Literal["jit", "5.4"]
_IMPLEMENTATIONS = {"jit": luajit21, "5.4": lua54}
# What a callback may answer; a table is a dict or a list, with values of the same kinds.
Answer = bool | int | float | str | dict[str, Any] | list[Any] | None
_LUA = files("gateway.scripting") / "lua"
_CHUNKS = {name: (_LUA / name).read_text("utf-8") for name in (
    "limits.lua", "reentry.lua", "compat.lua", "bridges.lua", "lua54.lua", "popen.lua",
    "outside.lua", "primitives.lua", "json.lua", "dump.lua", "modules.lua",
    "rehearsal.lua", "sandbox.lua", "answers.lua", "entry.lua",
)}  # fmt: skip
# Between the limit, at which a script is ended in good order, and the allocator's, at which an
# allocation fails, there is room for garbage that LuaJIT has not collected, and for our own pushes.
_HARD_LIMIT_FACTOR, _HARD_LIMIT_RESERVE_MB = 2, 64
# To turn an error value into text; a script's __tostring may run then.
_DESCRIBE_S = 1.0
_SCRIPT_FRAME = re.compile(r"^\t(?!\[|gateway/)(.+?:\d+):", re.MULTILINE)
_OUR_FRAME = re.compile(r"^\t(\[builtin|gateway/|\[C\]: in function 'error').*\n?", re.MULTILINE)
_OUR_PLACE = re.compile(r"^gateway/\w+\.lua:\d+: ")
_OUT_OF_MEMORY = "not enough memory"
# LuaJIT's complaint about //, &, |, ~, <<, >>, <const>, <close>.
_NEAR_OPERATOR = re.compile(r" near '[/&|~<>]'$")


def _deny(*_: object) -> None:
    raise AttributeError("access to Python objects is denied")


class Excursion:
    """Whether a runtime is in a host function now, where it may wait, and computes nothing."""

    is_out = False


class Refused(Exception):
    """A host function says no; the message becomes an error at the script's line."""


class Runtime:
    """A runtime for one script. Calls may come from any thread, one at a time.

    Never enter it while holding a lock: the script may be in there for as long as its limit allows.

    After ScriptTimedOut or ScriptOutOfMemory it must be closed: what the script had begun is in an
    unknown state.
    """

    def __init__(
        self,
        profile: Literal["trusted", "sandboxed"],
        *,
        memory_mb: int,
        host: Mapping[str, HostFunction | OfBytes],
        lua: Dialect = "jit",
    ) -> None:
        """host: functions that the sandbox offers to scripts; see sandbox.lua for their names.

        A host function gets and answers str, numbers, bool or None, or a tuple of them; bytes may
        be answered too. What is not UTF-8 in a str that it gets is kept as surrogates, as in file
        names (PEP 383). It may raise Refused.
        """
        self._memory_mb = memory_mb
        self._deadline_s = 0.0
        self._name = "?"
        self._dialect = lua
        self._lua = _IMPLEMENTATIONS[lua].LuaRuntime(
            encoding="latin-1",
            source_encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            attribute_handlers=(_deny, _deny),
            unpack_returned_tuples=True,
            max_memory=(memory_mb * _HARD_LIMIT_FACTOR + _HARD_LIMIT_RESERVE_MB) << 20,
        )
        # The C functions themselves: a Lua function would be killed with the script.
        self._sethook = self._lua.eval("debug.sethook")
        self._collectgarbage = self._lua.eval("collectgarbage")
        self.excursion = Excursion()
        guarded = {
            name: _never_raising(name, function, self.excursion) for name, function in host.items()
        }
        entry = self._bootstrap(profile, self._lua.table_from(guarded))
        self._compile, self._run = entry["compile"], entry["run"]
        self._defines, self._call, self._ask = entry["defines"], entry["call"], entry["ask"]
        self._describe, self._verdict = entry["describe"], entry["verdict"]
        self._finish = entry["finish"]

    @property
    def seconds_left(self) -> float:
        """Until the deadline of the call that is running, for host functions that wait."""
        return max(0.0, self._deadline_s - time.monotonic())

    def compile(self, source: bytes, name: str) -> None:
        """Make `source` the script; `name` stands in its errors. Raises ScriptSyntaxError."""
        if source.startswith(b"\x1b"):
            raise ScriptSyntaxError(f"{name}:1: byte code is refused, only Lua text is loaded")
        self._name = name
        problem = self._compile(without_preamble(source), name.encode())
        if problem is not None:
            raise ScriptSyntaxError(as_text(problem) + self._hint(as_text(problem)))

    def _hint(self, problem: str) -> str:
        """What may help with a syntax error."""
        if self._dialect == "jit" and _NEAR_OPERATOR.search(problem):
            return ": Lua 5.3 syntax? Ask for it at the top: -- gateway: lua=5.4"
        return ""

    def run(self, *, timeout_s: float) -> None:
        """Run the compiled script from its first line to its last. Raises ScriptError."""
        self._enter(self._run, timeout_s)

    def defines(self, callback: str) -> bool:
        """True when the script has a global function of that name."""
        return bool(self._defines(callback))

    def call(self, callback: str, *arguments: object, timeout_s: float) -> None:
        """Call a global function of the script; what it returns is not looked at.

        arguments: str, numbers, bool, None, and mappings and lists of these. Raises ScriptError.
        """
        self._refuse_when_memory_is_short()
        self._enter(self._call, timeout_s, callback, *map(self._as_lua, arguments))

    def ask(self, callback: str, *arguments: object, timeout_s: float) -> Answer:
        """As call(); answers the first result. Raises ScriptError, also for a result that is none.

        Whole numbers are int. A table is an array (a list) when its keys are 1 to n.
        """
        self._refuse_when_memory_is_short()
        kind, *rest = self._enter(self._ask, timeout_s, callback, *map(self._as_lua, arguments))
        value: Answer = rest[0] if rest else None
        if not isinstance(value, str):
            return value
        text = as_text(value)
        answer: Answer = json.loads(text) if kind == "table" else text
        return answer

    def close(self) -> None:
        """Let the script's files be closed, and forget the runtime, which is of no use then."""
        self._finish()
        for name in list(vars(self)):
            delattr(self, name)

    def _bootstrap(self, profile: str, host: Any) -> Any:
        """Run our own Lua, each file with what it needs of those before it; answers entry.lua's."""
        limits = self._execute("limits.lua", self._memory_mb * 1024, time.monotonic)
        reentry, reset_depth = self._execute("reentry.lua", limits)
        compat = self._compat(reentry)
        popen = self._lua.compile(_CHUNKS["popen.lua"], name="=gateway/popen.lua")
        outside = self._lua.compile(_CHUNKS["outside.lua"], name="=gateway/outside.lua")
        primitives = self._lua.compile(_CHUNKS["primitives.lua"], name="=gateway/primitives.lua")
        json = self._lua.compile(_CHUNKS["json.lua"], name="=gateway/json.lua")
        modules = self._lua.compile(_CHUNKS["modules.lua"], name="=gateway/modules.lua")
        rehearsal = self._lua.compile(_CHUNKS["rehearsal.lua"], name="=gateway/rehearsal.lua")
        dump = self._lua.compile(_CHUNKS["dump.lua"], name="=gateway/dump.lua")
        chunks = (popen, outside, primitives, json, dump, modules, rehearsal)
        globals_, set_callback = self._execute(
            "sandbox.lua", profile, limits, reentry, compat, *chunks, host
        )
        answers = self._execute("answers.lua")
        return self._execute("entry.lua", globals_, limits, set_callback, reset_depth, answers)

    def _compat(self, reentry: Any) -> Any:
        """What makes the library that of Lua 5.3."""
        if self._dialect == "5.4":
            return self._execute("lua54.lua", reentry)
        compat = self._execute("compat.lua", reentry["base"]["tostring"])
        return self._execute("bridges.lua", reentry, compat)

    def _execute(self, chunk: str, *arguments: object) -> Any:
        return self._lua.execute(_CHUNKS[chunk], *arguments, name=f"=gateway/{chunk}")

    def _enter(self, function: Any, timeout_s: float, *arguments: object) -> list[Any]:
        """Call one of entry.lua's armed functions; its results, or an exception."""
        self._deadline_s = time.monotonic() + timeout_s
        with self._limits(timeout_s):
            outcome = function(self._deadline_s, *arguments)
        succeeded, *results = outcome if isinstance(outcome, tuple) else (outcome,)
        self._raise_if_killed(timeout_s)
        if succeeded is not True:
            problem = results[0] if results else None
            self._raise_error(None if problem is None else as_text(problem))
        return results

    @contextmanager
    def _limits(self, timeout_s: float) -> Iterator[None]:
        """Disarm in any case; what lupa raises means that a limit was passed, or a bug of ours."""
        try:
            yield
        except LuaMemoryError as exc:
            raise self._out_of_memory("") from exc
        except LuaError as exc:
            self._sethook()
            self._raise_if_killed(timeout_s)
            raise ScriptError(as_text(str(exc))) from exc
        finally:
            self._sethook()

    def _raise_if_killed(self, timeout_s: float) -> None:
        limit, stack = self._verdict()
        if limit is None:
            return
        traceback = _for_people(as_text(stack))
        if limit == "memory":
            raise self._out_of_memory(traceback)
        raise ScriptTimedOut(
            f"{self._place(traceback)}: ran longer than its limit of {timeout_s:g} s", traceback
        )

    def _raise_error(self, problem: str | None) -> None:
        """problem: given when LuaJIT could not run the error handler, else the handler has it."""
        if problem == _OUT_OF_MEMORY:
            raise self._out_of_memory("")
        if problem is not None:  # such as "stack overflow"
            raise ScriptError(f"{self._name}: {problem}")
        with self._limits(_DESCRIBE_S):
            described, message, stack = (*self._describe(time.monotonic() + _DESCRIBE_S), "")[:3]
        self._sethook()
        if not described:
            raise ScriptError(f"{self._name}: an error without text: its __tostring failed")
        traceback = _for_people(as_text(stack))
        located = _OUR_PLACE.sub(lambda _: f"{self._place(traceback)}: ", as_text(message), count=1)
        raise ScriptError(located, traceback)

    def _out_of_memory(self, traceback: str) -> ScriptOutOfMemory:
        return ScriptOutOfMemory(
            f"{self._place(traceback)}: needs more memory than its limit of {self._memory_mb} MB",
            traceback,
        )

    def _place(self, traceback: str) -> str:
        """`file:line` of the innermost frame that is the script's; its name when there is none."""
        frame = _SCRIPT_FRAME.search(traceback)
        return frame[1] if frame else self._name

    def _refuse_when_memory_is_short(self) -> None:
        limit_kb = self._memory_mb * 1024
        if self._collectgarbage("count") > limit_kb:
            self._collectgarbage("collect")
            if self._collectgarbage("count") > limit_kb:
                raise self._out_of_memory("")

    def _as_lua(self, value: object) -> object:
        plain = _as_bytes(value)
        if isinstance(plain, dict | list):
            return self._lua.table_from(plain, recursive=True)
        return plain


def as_text(value: str) -> str:
    """What Lua handed out, as the UTF-8 that it is; bytes that are not UTF-8 become U+FFFD."""
    return value if value.isascii() else value.encode("latin-1").decode("utf-8", "replace")


def _from_lua(value: str) -> str:
    return value if value.isascii() else value.encode("latin-1").decode("utf-8", "surrogateescape")


def _raw(value: str) -> bytes:
    return value.encode("latin-1")


def without_preamble(source: bytes) -> bytes:
    """Without a byte order mark; a `#!` line becomes a comment, so that line numbers hold."""
    source = source.removeprefix(b"\xef\xbb\xbf")
    return b"--" + source if source.startswith(b"#") else source


def _as_bytes(value: object) -> object:
    """Text to UTF-8, all the way down. ASCII may stay as it is, which is most of what comes by."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {_as_bytes(key): _as_bytes(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_bytes(item) for item in value]
    return value


def _for_people(stack: str) -> str:
    """Lua's traceback without the frames that are ours."""
    return _OUR_FRAME.sub("", stack.strip("\n") + "\n").rstrip()


def _never_raising(name: str, given: HostFunction | OfBytes, excursion: Excursion) -> HostFunction:
    """`given` for Lua: answers True and its results, or False and a message.

    An exception that reached Lua would be an object there, and lead from its traceback to anything.
    """

    function, taken = (given.function, _raw) if isinstance(given, OfBytes) else (given, _from_lua)

    def answer(*arguments: Any) -> tuple[Any, ...]:
        excursion.is_out = True
        try:
            result = function(*(taken(a) if isinstance(a, str) else a for a in arguments))
        except Refused as exc:
            return False, str(exc).encode("utf-8", "replace")
        except Exception as exc:  # the border to Lua, as said above
            log.error("host function failed", function=name, exc_info=exc)
            return False, f"{name}: internal error {type(exc).__name__}"
        finally:
            excursion.is_out = False
        results = result if isinstance(result, tuple) else (result,)
        return True, *(_as_bytes(item) for item in results)

    return answer
