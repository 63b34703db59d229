"""Turn what an Orthanc is configured with into a configuration of ours.

The result is a tree of our own keys, as a TOML file would give it, so that it is checked like one;
each fault names the key of Orthanc, with its file and line. What is not there has the value that
Orthanc 1.10.1 assumes, not ours.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gateway.config.orthanc_json import Entry, OrthancJson
from gateway.config.orthanc_keys import DEFAULTS, IGNORED, OF_PLUGINS, known_keys
from gateway.config.schema import Place
from gateway.errors import Fault

T = TypeVar("T")
UNKNOWN = "Orthanc 1.10.1 does not know this key, and neither do we; scripts can read it"
OF_A_PLUGIN = "configures a plugin of Orthanc, and plugins do not run here"


@dataclass(slots=True)
class Import:
    """A configuration on its way from Orthanc's keys to ours.

    tree: our keys and values. faults: what is wrong. notes: what an administrator has to know.
    """

    source: OrthancJson
    tree: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    _keys: dict[Place, str] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.source.entries

    def boolean(self, key: str) -> bool:
        """The value of a key that is true or false; Orthanc's own when it is not there."""
        return self._checked(key, bool, "true or false")

    def integer(self, key: str) -> int:
        """The value of a key that is a whole number, not below 0."""
        value = self._checked(key, int, "a whole number, without quotes")
        if value < 0:
            self.fault(key, f"{value} is below 0")
            return int(DEFAULTS.get(key, 0))
        return value

    def text(self, key: str) -> str:
        """The value of a key that is text."""
        return self._checked(key, str, "text")

    def table(self, key: str) -> dict[str, Any]:
        """The value of a key that is an object."""
        return self._checked(key, dict, "an object: { ... }")

    def texts(self, key: str) -> list[str]:
        """The value of a key that is a list of texts."""
        value = self.value(key)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return list(value)
        self.fault(key, "is not a list of texts", '["...", "..."]')
        return []

    def value(self, key: str) -> Any:
        """The value of a key, whatever it is."""
        entry = self.source.entries.get(key)
        return deepcopy(DEFAULTS.get(key)) if entry is None else entry.value

    def path(self, key: str, text: str) -> Path:
        """The file that a key names; relative ones start at the folder of the key's file."""
        return self._folder(key) / text

    def put(self, key: str, place: Place, value: Any) -> None:
        """Set a key of ours, because of one of Orthanc's; sub-tables too."""
        inner = self.tree
        for name in place[:-1]:
            inner = inner.setdefault(str(name), {})
        inner[str(place[-1])] = value
        self._keys[place] = key

    def fault(self, key: str, problem: str, remedy: str = "") -> None:
        """Tell that the value of a key is wrong; once, however often it is asked for."""
        fault = Fault(self.where(key), problem, remedy)
        if fault not in self.faults:
            self.faults.append(fault)

    def note(self, key: str, meaning: str) -> None:
        """Tell what becomes of a key."""
        self.notes.append(Fault(self.where(key), meaning))

    def where(self, key: str, inside: str = "") -> str:
        """`orthanc.json:12: DicomPort`; without a place when nobody wrote the key."""
        entry = self.source.entries.get(key)
        name = f"{key}.{inside}" if inside else key
        return f"{entry.where}: {name}" if entry else name

    def named(self, place: Place) -> str:
        """What the administrator calls a place of our configuration."""
        for length in range(len(place), 0, -1):
            if key := self._keys.get(place[:length]):
                return self.where(key, ".".join(_inside(key, place, length)))
        return ".".join(map(str, place))

    def tell_of_the_rest(self) -> None:
        """Note every key from which nothing follows here, if Orthanc would have made something."""
        known = known_keys()
        for key, entry in self.source.entries.items():
            if key in OF_PLUGINS:
                self.note(key, OF_A_PLUGIN)
            elif key not in known:
                self.note(key, UNKNOWN)
            elif key in IGNORED and entry.value != IGNORED[key].default:
                self.note(key, f"not supported: {IGNORED[key].meaning}")
        for where, variable in self.source.unset:
            self.notes.append(Fault(where, f"${{{variable}}} is not set, and stands for nothing"))

    def _checked(self, key: str, kind: type[T], expected: str) -> T:
        value = self.value(key)
        # To Python, true is a number.
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        self.fault(key, f"is not {expected}")
        default: T = deepcopy(DEFAULTS.get(key, kind()))
        return default

    def _folder(self, key: str) -> Path:
        entry = self.source.entries.get(key)
        if entry:
            return entry.folder
        return next(iter(self.source.entries.values()), Entry(None, "", Path.cwd())).folder


def _inside(key: str, place: Place, length: int) -> list[str]:
    """The name of a modality or the like, and what is below it."""
    own = place[_NAMED[key] : length] if key in _NAMED else ()
    return [str(part) for part in (*own, *place[length:])]


_NAMED = {
    "DicomModalities": 1,
    "Dictionary": 1,
    "OrthancPeers": 1,
    "UserContentType": 2,
    "UserMetadata": 2,
}
"""Keys below which the site chooses names, and where in a place of ours such a name is."""
