"""The files of instances on their way out: as stored, or transcoded where that is possible."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.errors import TranscodeError
from gateway.logs import logger
from gateway.model import TranscodeOptions
from gateway.ports import Codecs
from gateway.store.catalogue import Catalogue
from gateway.store.files import DERIVED, FileStorage

log = logger("rest")


class InstanceFiles:
    """Opens files; what was made for that is removed afterwards."""

    def __init__(self, catalogue: Catalogue, storage: FileStorage, codecs: Codecs) -> None:
        self._catalogue = catalogue
        self._storage = storage
        self._codecs = codecs

    @contextmanager
    def opened(
        self, instance_id: str, syntax_uid: str | None, options: TranscodeOptions
    ) -> Iterator[tuple[BinaryIO, Path] | None]:
        """The instance's file and where it is; None when the instance is not there any more.

        syntax_uid: what it is to be transcoded to; it stays as stored where that cannot be.
        """
        version = self._catalogue.version(instance_id)
        if version is None:
            yield None
            return
        stored = self._storage.path(version.storage_key)
        if syntax_uid in (None, version.transfer_syntax_uid):
            with _opened(stored) as file:
                yield file
            return
        assert syntax_uid is not None
        staged = self._storage.stage(DERIVED, made_from=instance_id)
        try:
            self._codecs.transcode(stored, staged.path, [syntax_uid], options)
            path = staged.path
        except TranscodeError as error:
            log.warning("instance goes as stored", instance=instance_id, reason=str(error))
            path = stored
        try:
            with _opened(path) as file:
                yield file
        finally:
            staged.discard()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, Path] | None]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file, path
