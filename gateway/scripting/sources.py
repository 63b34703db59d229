"""The drop folder at one moment: scripts at its top, modules for `require` anywhere in it."""

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import Fault

# Nobody writes that much by hand; LuaJIT needs a multiple of it to compile.
MAXIMUM_SOURCE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every Lua file of the folder, by its path below the folder with slashes.

    faults: files that are there and could not be read.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    faults: Mapping[str, Fault] = field(default_factory=dict)

    @property
    def scripts(self) -> list[str]:
        """The files at the top: one script each, also those that cannot be read."""
        return sorted(path for path in {*self.files, *self.faults} if "/" not in path)


def take_snapshot(folder: Path) -> Snapshot:
    """Read the folder. Raises OSError when it is not there or cannot be listed.

    Names that begin with a dot, and all that does not end in `.lua`, are none of our business:
    editors keep their temporary files under such names.
    """
    files: dict[str, bytes] = {}
    faults: dict[str, Fault] = {}
    for path, entry in _lua_files(folder, "", frozenset()):
        try:
            files[path] = _read(entry)
        except FileNotFoundError:
            continue  # gone between listing and reading: as if it had not been listed
        except (OSError, ValueError) as exc:
            faults[path] = _unreadable(path, exc)
    return Snapshot(files, faults)


def snapshot_of(named: Mapping[str, Path]) -> Snapshot:
    """Read these files."""
    files: dict[str, bytes] = {}
    faults: dict[str, Fault] = {}
    for name, path in named.items():
        try:
            files[name] = _read(path)
        except (OSError, ValueError) as exc:
            faults[name] = _unreadable(str(path), exc)
    return Snapshot(files, faults)


def by_short_names(paths: Sequence[Path]) -> dict[str, Path]:
    """The files by what their errors call them: Lua cuts a name that is longer than 60 bytes."""
    names = [path.name for path in paths]
    return {path.name if names.count(path.name) == 1 else str(path): path for path in paths}


def speaks_of(files: Mapping[str, bytes], scripts: Collection[str], name: str) -> bool:
    """Whether one of the scripts, or a module that they may require, has the name in its code.

    For what has not been loaded, and perhaps never can be; what is commented out is not meant.
    """
    texts = (text for path, text in files.items() if path in scripts or "/" in path)
    return any(
        name.encode() in line.partition(b"--")[0] for text in texts for line in text.splitlines()
    )


def _unreadable(path: str, error: OSError | ValueError) -> Fault:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return Fault(path, f"cannot be read: {reason}")


def _lua_files(
    folder: Path, prefix: str, above: frozenset[tuple[int, int]]
) -> Iterator[tuple[str, Path]]:
    """Path below the drop folder, and path to open. above: folders around, against link loops."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith(".") or not entry.name.isprintable():
            continue
        if entry.is_dir():
            yield from _lua_files(Path(entry.path), f"{prefix}{entry.name}/", above | {here})
        elif entry.name.endswith(".lua"):
            yield prefix + entry.name, Path(entry.path)


def _read(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a FIFO would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a file")
        source = file.read(MAXIMUM_SOURCE_BYTES + 1)
    if len(source) > MAXIMUM_SOURCE_BYTES:
        raise ValueError(f"it is larger than {MAXIMUM_SOURCE_BYTES >> 20} MB")
    return source
