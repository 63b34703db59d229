"""Logging: one line per outcome, ids and measures, never a patient's name or ID.

Our own lines hold what we put into them. What others say, a library's record, a warning or the
message of an exception, may quote values of a data set: of that we pass on where it was said and
of what kind it is, and the words only of those known to speak of nothing but themselves.
"""

import logging
import sqlite3
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict

from gateway.errors import GatewayError

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_TELLING_LIBRARIES = {"alembic", "cheroot", "watchdog"}
# Exceptions whose messages are ours, the operating system's, or about names in code and tables.
_TELLING_EXCEPTIONS = (
    GatewayError,
    OSError,
    sqlite3.Error,
    ImportError,
    NameError,
    AttributeError,
    MemoryError,
)
_MOST_FRAMES = 40


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["auto", "human", "json"] = "auto",
) -> None:
    """Send every log line of this process, ours and the libraries', to standard error.

    style "auto" is "human" when standard error is a terminal, "json" otherwise.
    """
    terminal = _is_terminal(sys.stderr)
    human = style == "human" or (style == "auto" and terminal)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=not human),
            *([_escape_control_characters] if human else []),  # JSON does so by itself
            structlog.processors.ExceptionRenderer(_exception_text),
            structlog.dev.ConsoleRenderer(colors=terminal, sort_keys=False)
            if human
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=_StandardError,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_LibraryHandler()], level=logging.WARNING, force=True)
    _take_over_warnings()
    threading.excepthook = _log_end_of_thread
    sys.unraisablehook = _log_unraisable


def set_level(level: Literal["debug", "info", "warning", "error"]) -> None:
    """From now on, write our own lines of this level and above."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]))


def logger(name: str) -> Any:
    """The structured logger of one room."""
    return structlog.get_logger(room=name)


# --- where lines go ------------------------------------------------------------------------------


class _StandardError:
    """Writes whole lines to standard error, and loses a line rather than fail its caller.

    Looks at sys.stderr anew for each line: it may be replaced, or closed by who started us.
    """

    _lock = threading.RLock()  # a signal handler may log while its own thread does

    def __init__(self, *ignored: object) -> None: ...

    def msg(self, line: str) -> None:
        """Write one line."""
        # RuntimeError: a signal handler has interrupted this very write.
        with self._lock, suppress(OSError, ValueError, RuntimeError):
            if sys.stderr is not None:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()

    debug = info = warning = error = critical = msg


def _is_terminal(stream: TextIO | None) -> bool:
    with suppress(OSError, ValueError):
        return stream is not None and stream.isatty()
    return False


# --- what lines say ------------------------------------------------------------------------------


def _escape_control_characters(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Names from the network must not move the cursor of who reads the log, or fake a line."""
    return {
        key: _printable(value) if isinstance(value, str) else value for key, value in line.items()
    }


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _exception_text(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> str:
    """The traceback, causes first, one line per frame; messages only of telling exceptions."""
    return "\n".join(line for exc in _chain(exc_info[1]) for line in _exception_lines(exc))


def _chain(exc: BaseException) -> list[BaseException]:
    """The exception after those that led to it."""
    chain = [exc]
    while True:
        earlier = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
        if earlier is None or earlier in chain:
            return chain[::-1]
        chain.append(exc := earlier)


def _exception_lines(exc: BaseException) -> Iterator[str]:
    frames = traceback.StackSummary.extract(
        traceback.walk_tb(exc.__traceback__), limit=-_MOST_FRAMES, lookup_lines=False
    )
    yield _exception_name(exc)
    for frame in frames:
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


def _exception_name(exc: BaseException) -> str:
    kind = type(exc)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    message = _printable(str(exc)) if isinstance(exc, _TELLING_EXCEPTIONS) else "(not quoted here)"
    return f"{name}: {message}"


# --- what others say -----------------------------------------------------------------------------


class _LibraryHandler(logging.Handler):
    """Turns the records of libraries into lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the place, and the words if they can be trusted."""
        about: dict[str, Any] = {
            "library": record.name,
            "place": _place(record.pathname, record.lineno),
        }
        if record.exc_info:
            # With an exception, the words are mostly those of the exception.
            about["exc_info"] = record.exc_info
        elif record.name.partition(".")[0] in _TELLING_LIBRARIES:
            about["problem"] = _words(record)
        log = structlog.get_logger()
        report = log.error if record.levelno >= logging.ERROR else log.warning
        report("a library complains", **about)


def _words(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # the library's format does not fit its values
        return str(record.msg)


def _take_over_warnings() -> None:
    # Theirs quote values, and the interpreter would remember each new text for ever.
    warnings.filterwarnings("ignore", module="pydicom|pynetdicom")
    warnings.showwarning = _log_warning


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    structlog.get_logger().warning(
        "a library warns", category=category.__name__, place=_place(filename, lineno)
    )


def _log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return
    thread = args.thread.name if args.thread else ""
    structlog.get_logger().error("a thread died", thread=thread, exc_info=args.exc_value)


def _log_unraisable(args: Any) -> None:
    structlog.get_logger().error("an error with nobody to catch it", exc_info=args.exc_value)


def _place(path: str, line: int) -> str:
    """`pydicom/valuerep.py:440`: folder, file and line are enough to find it."""
    return f"{'/'.join(Path(path).parts[-2:])}:{line}"
