"""The work of TRANSCODE tasks: a codec process makes the file, the store enters it."""

from collections.abc import Callable
from dataclasses import replace

from gateway.errors import GatewayError, TranscodeError
from gateway.metrics import Metrics
from gateway.model import Action, Task, TranscodeOptions, TranscodeReport
from gateway.routing.singly import Singly
from gateway.store.files import FileStorage, StagedFile
from gateway.store.instances import NewVersion
from gateway.store.tasks import Tasks
from gateway.work.transcoding import Transcoding


def options_of(task: Task, otherwise: TranscodeOptions) -> TranscodeOptions:
    """What the script asked for in this call; what it did not, as in `otherwise`."""
    return replace(otherwise, **task.parameters.get("options", {}))


class TranscodeWorker(Singly):
    """Carries out one TRANSCODE task after the other, in one thread."""

    def __init__(
        self, tasks: Tasks, storage: FileStorage, transcoding: Transcoding, metrics: Metrics
    ) -> None:
        super().__init__(Action.TRANSCODE, tasks, metrics)
        self._storage = storage
        self._transcoding = transcoding

    def carry_out(self, task: Task, stopping: Callable[[], bool]) -> None:
        """See Singly."""
        staged, report = self._make(task)
        if not report.changed:  # it has that syntax already: go on with the version as it is
            staged.discard()
            self._tasks.done(task).result()
            return
        new = NewVersion(staged.key, report.target_syntax_uid, report.target_bytes)
        self._tasks.derived(task, staged, new, replace=_replaces(task)).result()

    def failed(self, task: Task, error: GatewayError) -> None:
        """See Singly: unless the script wants to go on with the original."""
        if task.parameters.get("on_failure") != "keep":
            super().failed(task, error)
            return
        self.tell_failure("transcoding failed, going on with the original", task, error)
        self._tasks.done(task).result()

    def _make(self, task: Task) -> tuple[StagedFile, TranscodeReport]:
        """Raises TranscodeError."""
        source = self._storage.path(task.version.storage_key)
        options = options_of(task, self._transcoding.options)
        staged, report = self._transcoding.make(
            source, task.version.instance_id, task.parameters["ladder"], options
        )
        if _replaces(task) and report.sop_instance_uid != task.version.sop_instance_uid:
            staged.discard()
            raise TranscodeError(
                "something was lost: the result is another SOP instance, and takes the place of"
                " the stored one only with keep_uid"
            )
        return staged, report


def _replaces(task: Task) -> bool:
    return bool(task.parameters.get("replace", False))
