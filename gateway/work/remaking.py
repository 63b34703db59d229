"""From a kept instance to a modified one: header, pixels, and another transfer syntax if asked."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from gateway.dicom import part10, syntaxes
from gateway.dicom.modify import Modification
from gateway.dicom.syntaxes import EXPLICIT_LE
from gateway.errors import TranscodeError
from gateway.logs import logger
from gateway.model import TranscodeOptions, Version
from gateway.ports import Codecs
from gateway.store.files import FileStorage, StagedFile
from gateway.work.rewriting import Rewritten, rewritten

log = logger("work")
_KIND = "m"
_CHUNK_BYTES = 1 << 20


class Remaker:
    """Makes modified instances for one request or task. Nothing of it is left behind."""

    def __init__(
        self,
        storage: FileStorage,
        codecs: Codecs,
        options: TranscodeOptions,
        *,
        syntax_uid: str = "",
        insists: bool = False,
    ) -> None:
        """syntax_uid: what to transcode to, "" for the syntax as stored. insists: an instance that
        cannot be put into it is refused; otherwise it stays in its own, as Orthanc has it."""
        self._storage = storage
        self._codecs = codecs
        # It gets a new UID already, or its own was to be kept.
        self._options = replace(options, keep_uid=True)
        self._transcode_to = syntax_uid
        self._insists = insists

    @contextmanager
    def remade(self, version: Version, wanted: Modification) -> Iterator[Rewritten]:
        """The instance as it was asked for. Raises what rewritten() raises, StoreError."""
        stored = syntaxes.by_uid(version.transfer_syntax_uid)
        source = self._storage.path(version.storage_key)
        target = self._transcode_to or (stored.uid if stored.is_deflated else "")
        with ExitStack() as stack:
            if stored.is_deflated or not stored.is_little_endian:
                source = self._transcoded(source, EXPLICIT_LE.uid, TranscodeOptions(), stack)
            result = stack.enter_context(rewritten(source, wanted))
            if target in ("", result.transfer_syntax_uid):
                yield result
                return
            plain = self._staged(stack).path
            result.write_file(plain)
            yield _of_file(self._in_syntax(plain, target, version, stack))

    def _in_syntax(self, plain: Path, target: str, version: Version, stack: ExitStack) -> Path:
        try:
            return self._transcoded(plain, target, self._options, stack)
        except TranscodeError as refusal:
            if self._insists:
                raise
            log.warning(
                "a modified instance keeps its transfer syntax",
                instance=version.instance_id,
                wanted=syntaxes.label(target),
                reason=str(refusal),
            )
            return plain

    def _transcoded(
        self, source: Path, target: str, options: TranscodeOptions, stack: ExitStack
    ) -> Path:
        made = self._staged(stack).path
        self._codecs.transcode(source, made, [target], options)
        return made

    def _staged(self, stack: ExitStack) -> StagedFile:
        staged = self._storage.stage(_KIND)
        stack.callback(staged.discard)
        return staged


def _of_file(path: Path) -> Rewritten:
    meta = part10.read_meta(path)
    return Rewritten(
        meta.sop_class_uid,
        meta.sop_instance_uid,
        meta.transfer_syntax_uid,
        _chunks(path, meta.data_set_offset),
    )


def _chunks(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
