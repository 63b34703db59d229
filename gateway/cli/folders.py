"""The files below folders, for commands that take both."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, repeat
from operator import itemgetter
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Found:
    """A place below the folders, and the file there: one for each of the folders that has it."""

    relative: Path
    paths: tuple[Path, ...]


def _refuse(error: OSError) -> None:
    raise error


def walk(
    folders: Sequence[Path],
    *,
    excluding: Path | None = None,
    unreadable: Callable[[OSError], None] = _refuse,
) -> Iterator[Found]:
    """All files below the folders, but for hidden ones and DICOMDIR, as if the trees were one.

    Folder by folder, each once, its files in order and before its subfolders: no more than the
    names of one folder and those of its neighbours is in memory. Links to folders are not followed.
    excluding: a resolved path that is not entered. unreadable: is told which folder is.
    """
    waiting = [(Path(), tuple(folders))]
    while waiting:
        relative, roots = waiting.pop()
        file_names: list[Iterator[tuple[str, Path]]] = []
        roots_of = defaultdict[str, list[Path]](list)
        for root in roots:
            names, subfolders = _listed(root / relative, unreadable)
            file_names.append(zip(names, repeat(root), strict=False))
            for name in subfolders:
                if excluding is None or (root / relative / name).resolve() != excluding:
                    roots_of[name].append(root)
        for name, group in groupby(merge(*file_names, key=itemgetter(0)), key=itemgetter(0)):
            yield Found(relative / name, tuple(root / relative / name for _, root in group))
        waiting += ((relative / name, tuple(roots_of[name])) for name in sorted(roots_of)[::-1])


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files among the paths, and those below the folders among them, in order, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update((each, None) for below in walk([path]) for each in below.paths)
        else:
            found[path] = None
    return list(found)


def _listed(folder: Path, unreadable: Callable[[OSError], None]) -> tuple[list[str], list[str]]:
    """Names of the files, in order, and of the subfolders; none when it cannot be read."""
    files, subfolders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    subfolders.append(entry.name)
                elif entry.name != "DICOMDIR" and _is_file(entry):
                    files.append(entry.name)
    except OSError as error:
        unreadable(error)
        return [], []
    return sorted(files), subfolders


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to nowhere or to itself: whoever opens it will tell
        return True
