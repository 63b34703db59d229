"""Which file of which input becomes which file below the output folder. Nothing here makes any."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway.cli.folders import Found, walk
from gateway.codecs.batch import Item


class InputsOverlap(ValueError):
    """Inputs, or an input and the output folder, would be in each other's way."""


class Mirror:
    """The tree below each folder goes below `out` as it is, a file goes into `out` itself.

    What is said twice is meant once. `out` may be below an input: it is not entered then. Raises
    InputsOverlap: an input is `out` or below it, where results would be taken for originals; or two
    files have the same name.
    """

    def __init__(self, inputs: Sequence[Path], out: Path) -> None:
        self._out = out
        self._folders: dict[str, Path] = {}  # by their real paths
        self._files: dict[str, Path] = {}  # by their names
        for path in inputs:
            real = os.path.realpath(path)
            if Path(real).is_relative_to(out.resolve()):
                raise InputsOverlap(f"{path} is in the output folder {out}")
            if path.is_dir():
                self._folders.setdefault(real, path)
            elif not _is_same(self._files.setdefault(path.name, path), path):
                raise _same_target(self._files[path.name], path, out / path.name)

    def items(self, unreadable: Callable[[OSError], None]) -> Iterator[Item]:
        """Every file with its target, one target folder after the other.

        unreadable: is told which folder is. Raises InputsOverlap: two have the same target.
        """
        for name, path in sorted(self._files.items()):
            yield Item(path, self._out / name, is_named=True)
        folders = list(self._folders.values())
        for found in walk(folders, excluding=self._out.resolve(), unreadable=unreadable):
            item = self._item(found)
            if item is not None:
                yield item

    def _item(self, found: Found) -> Item | None:
        """None when the file is named as well."""
        first, *others = found.paths
        target = self._out / found.relative
        named = self._files.get(target.name) if target.parent == self._out else None
        for other in [*others, named] if named else others:
            if not _is_same(first, other):
                raise _same_target(first, other, target)
        return None if named else Item(first, target, is_named=False)


def _is_same(first: Path, second: Path) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


def _same_target(first: Path, second: Path, target: Path) -> InputsOverlap:
    one, other = sorted((str(first), str(second)))
    return InputsOverlap(f"{one} and {other} would both become {target}")
