"""What scripts print, as the logs of an Orthanc and of a gateway tell it."""

import json
import re
from abc import ABC, abstractmethod
from pathlib import Path

# Orthanc says this before every script.
_OWN_WORDS = "Lua toolbox installed"
_ORTHANC_LINE = re.compile(r"^[A-Z]\d{4} [\d:.]+ .*?\] (.*)$")
_SAYS = "Lua says: "


class Printed(ABC):
    """The lines of scripts in a log that grows: each is read once."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0
        self._printed: list[str] = []

    def lines(self) -> list[str]:
        """All by now, in order. One that is still being written is not among them."""
        with self._log.open("rb") as log:
            log.seek(self._offset)
            whole = log.read().rpartition(b"\n")[0]
        if whole:
            self._offset += len(whole) + 1
            for line in whole.decode("utf-8", "replace").split("\n"):
                self._take(line, self._printed)
        return [text.rstrip("\n") for text in self._printed if text != _OWN_WORDS]

    @abstractmethod
    def _take(self, line: str, printed: list[str]) -> None:
        """Add what this line of the log says of scripts."""


class OrthancPrinted(Printed):
    """A text that was printed may have several lines; the first has the prefix of the log."""

    _is_lua = False

    def _take(self, line: str, printed: list[str]) -> None:
        headed = _ORTHANC_LINE.match(line)
        if headed:
            self._is_lua = headed[1].startswith(_SAYS)
            if self._is_lua:
                printed.append(headed[1].removeprefix(_SAYS))
        elif self._is_lua:
            printed[-1] += "\n" + line


class GatewayPrinted(Printed):
    """A line of JSON for each text."""

    def _take(self, line: str, printed: list[str]) -> None:
        if line[:1] == "{" and '"script says"' in line:
            entry = json.loads(line)
            if entry["event"] == "script says":
                printed.append(str(entry["says"]))
