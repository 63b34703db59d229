"""Read an Orthanc's configuration: JSON with comments and variables, in one file or in many.

What Orthanc 1.10.1 reads is read, as that one does:

- `//` and `/* */` begin comments; a comma may stand before a closing bracket; of a key that is
  twice in an object, the last counts; what follows the object is left alone;
- `${NAME}` and `${NAME:-default}` stand for a variable of the environment, anywhere in the file and
  before it is parsed; without a default, one that is not set stands for nothing;
- of a folder, the files whose names end with .json, in any case, are read, not those of folders in
  it. Together they are one configuration, and no two of them may have the same key.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from gateway.errors import ConfigurationInvalid, Fault

_VARIABLE = re.compile(r"\$\{(?P<name>[^:}]*)(?::-(?P<default>[^}]*))?\}")
# Atomic: a comment ends with its first "*/", whatever is looked for behind it.
_COMMENT = r"(?>//[^\n]*|/\*.*?\*/)"
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"'
    rf"|(?P<needless>{_COMMENT}|,(?=(?:\s|{_COMMENT})*+[}}\]]))"
    r"|.",
    re.DOTALL,
)
_REMEDY = "JSON, with // or /* */ for comments"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the configuration, at its top level.

    where: `file:line`. folder: where relative paths in it start.
    """

    value: Any
    where: str
    folder: Path


@dataclass(frozen=True, slots=True)
class OrthancJson:
    """A whole configuration: its entries by key, and `file:line` of each variable not set."""

    entries: Mapping[str, Entry]
    unset: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> dict[str, Any]:
        """What the files say, and no more: what Orthanc's GetOrthancConfiguration() answers.

        Keys that are null are left out: to Lua, that is the same.
        """
        content: dict[str, Any] = _without_null({k: e.value for k, e in self.entries.items()})
        return content


def read(paths: Sequence[Path], environment: Mapping[str, str]) -> OrthancJson:
    """Read files and folders as one configuration.

    Raises ConfigurationInvalid with every fault: of each file, and of each key that is in two.
    """
    entries: dict[str, Entry] = {}
    unset: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for path in paths:
        for file in _files(path, faults):
            try:
                found = _read_file(file, environment)
            except ConfigurationInvalid as exc:
                faults += exc.faults
                continue
            unset += found.unset
            for key, entry in found.entries.items():
                if key in entries:
                    faults.append(_twice(key, entry, entries[key]))
                entries[key] = entry
    if faults:
        raise ConfigurationInvalid(faults)
    return OrthancJson(entries, tuple(unset))


def _files(path: Path, faults: list[Fault]) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.suffix.lower() == ".json")
    files = [file for file in files if file.is_file()]
    if not files:
        faults.append(Fault(str(path), "has no file that ends with .json"))
    return files


def _twice(key: str, entry: Entry, first: Entry) -> Fault:
    return Fault(entry.where, f"{key} is in {first.where} as well", "remove one of them")


def _read_file(path: Path, environment: Mapping[str, str]) -> OrthancJson:
    """Raises ConfigurationInvalid."""
    try:
        # Orthanc takes any bytes for text; those that are no UTF-8 can only be text of scripts.
        raw = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as exc:
        raise ConfigurationInvalid([Fault(str(path), f"cannot be read: {exc.strerror}")]) from exc
    unset = tuple(_unset(path, raw, environment))
    text = _with_variables(path, raw, environment)
    content, lines = _parsed(path, text)
    folder = path.absolute().parent
    entries = {
        key: Entry(value, f"{path}:{lines.get(key, 1)}", folder) for key, value in content.items()
    }
    return OrthancJson(entries, unset)


def _unset(path: Path, text: str, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for match in _VARIABLE.finditer(_plain_json(text)):
        if match["name"] not in environment and match["default"] is None:
            yield f"{path}:{_line(text, match.start())}", match["name"]


def _with_variables(path: Path, text: str, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if not match["name"]:
            _refuse(path, _line(text, match.start()), f"{match[0]} names no variable", "${NAME}")
        return environment.get(match["name"], match["default"] or "")

    return _VARIABLE.sub(value, text)


def _parsed(path: Path, text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The object, and the line of each of its keys. Raises ConfigurationInvalid."""
    plain = _plain_json(text)
    decoder = json.JSONDecoder(strict=False, parse_constant=_no_constant, parse_float=_finite)
    start = len(plain) - len(plain.lstrip())
    try:
        content, _ = decoder.raw_decode(plain, start)
    except json.JSONDecodeError as exc:
        _refuse(path, exc.lineno, f"is not JSON: {exc.msg} at column {exc.colno}")
    except (ValueError, RecursionError) as exc:
        _refuse(path, 1, f"is not JSON: {exc}")
    if not isinstance(content, dict):
        _refuse(path, _line(plain, start), "is not a JSON object", "{ ... }")
    return content, _lines_of_keys(plain)


def _refuse(path: Path, line: int, problem: str, remedy: str = _REMEDY) -> NoReturn:
    raise ConfigurationInvalid([Fault(f"{path}:{line}", problem, remedy)])


def _plain_json(text: str) -> str:
    """Without comments and needless commas; everything else stays in its place."""

    def plain(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0]) if match["needless"] else match[0]

    return _TOKEN.sub(plain, text)


def _lines_of_keys(plain: str) -> dict[str, int]:
    """The line of each key of the outermost object; of one that is there twice, the last."""
    lines: dict[str, int] = {}
    depth, last = 0, ""
    line = last_line = 1
    for match in _TOKEN.finditer(plain):
        token = match[0]
        if token in "{[":
            depth += 1
        elif token in "}]":
            depth -= 1
        elif token == ":" and depth == 1:
            lines[json.loads(last, strict=False)] = last_line
        elif token.startswith('"'):
            last, last_line = token, line
        line += token.count("\n")
    return lines


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large a number")
    return number


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_null(each) for each in value]
    return value
