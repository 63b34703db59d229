"""The work of MODIFY tasks: another instance is made of a stored one, and stored itself."""

from collections.abc import Callable

from gateway.dicom import replacing
from gateway.dicom.identifiers import modified_uid
from gateway.dicom.modify import BadValue, Modification, Uids
from gateway.dicom.texts import DoesNotFit
from gateway.errors import ModificationRefused
from gateway.metrics import Metrics
from gateway.model import Action, Origin, OriginKind, Task
from gateway.routing.singly import Singly
from gateway.store.ingest import StoreIngest
from gateway.store.tasks import Tasks
from gateway.work.remaking import Remaker


class ModifyWorker(Singly):
    """Carries out one MODIFY task after the other, in one thread.

    Its result comes in as everything else does: with an event, and with origin Lua.
    """

    def __init__(
        self, tasks: Tasks, ingest: StoreIngest, remaker: Remaker, metrics: Metrics
    ) -> None:
        super().__init__(Action.MODIFY, tasks, metrics)
        self._ingest = ingest
        self._remaker = remaker

    def carry_out(self, task: Task, stopping: Callable[[], bool]) -> None:
        """See Singly. The result and the end of the task are durable together, or neither is."""
        completion = self._tasks.completion(task)
        try:
            with (
                self._remaker.remade(task.version, _modification(task)) as result,
                self._ingest.begin(
                    sop_class_uid=result.sop_class_uid,
                    sop_instance_uid=result.sop_instance_uid,
                    transfer_syntax_uid=result.transfer_syntax_uid,
                    origin=Origin(OriginKind.LUA, generation=task.parameters["generation"]),
                    metadata={"ModifiedFrom": task.version.instance_id},
                ) as arrival,
            ):
                for chunk in result.chunks:
                    arrival.write(chunk)
                arrival.keep(completion.enter)
        except BadValue as error:
            raise ModificationRefused(str(error)) from error
        except DoesNotFit as error:
            raise ModificationRefused(
                "the character set lacks characters of the data set"
            ) from error
        completion.tell()


def _modification(task: Task) -> Modification:
    """What ModifyInstance was told, checked when it was; the SOP Instance UID is a new one."""
    asked = task.parameters
    old, salt = task.version.sop_instance_uid, asked["salt"]
    return Modification(
        replace=replacing.replacements(asked["replace"]),
        remove=replacing.paths(asked["remove"]),
        remove_private=asked["remove_private"],
        uids=Uids({old: modified_uid(old, salt)}, salt),
    )
