"""The limits of the store: how much it holds, and of how many patients.

Beyond them, the patient for whom nothing came for the longest time is deleted, as Orthanc does; or
what comes is refused. A patient that is protected stays, and so does one for whom something still
waits: an event in a lane, or a task. Then the store is over its limits for a while.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Select, exists, func, not_, or_, select

from gateway.dicom.identifiers import resource_ids
from gateway.errors import StorageFull
from gateway.logs import logger
from gateway.model import Identifiers, Level
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.cursors import lanes_now, waits_in_a_lane, wanted_by_a_lane
from gateway.store.plans import OPEN, wanted_by_a_task
from gateway.store.removal import delete_resource
from gateway.store.totals import Totals, totals

log = logger("store")
_resource, _version, _task = schema.resource, schema.version, schema.task
# Counting reads the whole index.
_COUNT_EVERY_S = 1.0
_CANDIDATES = 100
_IS_PATIENT = _resource.c.level == Level.PATIENT
_NEWEST_VERSION = select(func.coalesce(func.max(_version.c.version_id), 0))
_PATIENT_COUNT = select(func.count()).select_from(_resource).where(_IS_PATIENT)
_LATEST = select(func.max(_resource.c.last_update)).where(_IS_PATIENT).scalar_subquery()
# Not the one for whom something came last: it may be coming still.
_OLDEST = (
    select(_resource.c.resource_id)
    .where(_IS_PATIENT, not_(_resource.c.is_protected), _resource.c.last_update < _LATEST)
    .order_by(_resource.c.last_update, _resource.c.resource_id)
    .limit(_CANDIDATES)
)


class Capacity:
    """Keeps the store to its limits. Thread-safe, but for keep_to_limits(), which is one thread's.

    maximum_bytes, maximum_patients: 0 for no limit. recycles: old patients are deleted beyond them;
    else what comes is refused.
    """

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        *,
        maximum_bytes: int,
        maximum_patients: int,
        recycles: bool,
    ) -> None:
        self._engine = engine
        self._committer = committer
        self._maximum_bytes = maximum_bytes
        self._maximum_patients = maximum_patients
        self._recycles = recycles
        self._is_full = False
        self._waits = False
        self._counted_version = -1
        self._counted_at = -_COUNT_EVERY_S

    def check(self) -> None:
        """Raises StorageFull when nothing more may come."""
        if self._is_full:
            raise StorageFull("the store has reached its limits: see store.maximum_size_mb")

    def admit(self, connection: Connection, identifiers: Identifiers) -> None:
        """Let an instance in. Raises StorageFull: it is of one patient too many."""
        if self._recycles or not self._maximum_patients:
            return
        patient_id = resource_ids(identifiers)[Level.PATIENT]
        is_known = exists().where(_resource.c.resource_id == patient_id)
        if connection.scalar(select(is_known)):
            return
        if connection.execute(_PATIENT_COUNT).scalar_one() >= self._maximum_patients:
            raise StorageFull(f"store.maximum_patients is {self._maximum_patients}")

    def keep_to_limits(self) -> int:
        """Delete what is too much, or see that nothing more comes; answer how many patients went.

        Does nothing most of the time: when nothing came, or something was counted just now.
        """
        if not (self._maximum_bytes or self._maximum_patients) or not self._is_due():
            return 0
        recycled = 0
        while self._is_beyond(counted := totals(self._engine)):
            if not (self._recycles and self._recycle()):
                break
            recycled += 1
        self._note(self._is_beyond(counted))
        return recycled

    def _is_due(self) -> bool:
        if time.monotonic() - self._counted_at < _COUNT_EVERY_S:
            return False
        with self._engine.connect() as connection:
            newest = connection.execute(_NEWEST_VERSION).scalar_one()
        if newest == self._counted_version and not (self._is_full or self._waits):
            return False
        self._counted_version, self._counted_at = newest, time.monotonic()
        return True

    def _is_beyond(self, counted: Totals) -> bool:
        if self._maximum_bytes and counted.size_bytes > self._maximum_bytes:
            return True
        patients = counted.resources[Level.PATIENT]
        # Where nobody is deleted, admit() sees to the number of patients.
        return bool(self._recycles and 0 < self._maximum_patients < patients)

    def _recycle(self) -> bool:
        """Delete the oldest patient for whom nothing waits; False when there is none."""
        with self._engine.connect() as connection:
            candidates = connection.scalars(_OLDEST).all()
        self._waits = bool(candidates)
        return any(self._committer.commit(partial(_delete, patient_id=each)) for each in candidates)

    def _note(self, is_beyond: bool) -> None:
        """Remember whether the store is full, and say so once."""
        is_full = is_beyond and not (self._recycles and self._waits)
        self._waits = is_beyond and self._waits
        if is_full and not self._is_full:
            log.error("the store is full: nothing is taken any more", recycles=self._recycles)
        elif self._is_full and not is_full:
            log.info("the store has room again")
        self._is_full = is_full


def _delete(connection: Connection, patient_id: str) -> bool:
    """False when something waits for the patient, or came, since it was found."""
    still = _OLDEST.where(_resource.c.resource_id == patient_id)
    if connection.scalar(still) is None or _is_wanted(connection, patient_id):
        return False
    delete_resource(connection, patient_id)
    log.warning("patient deleted to make room", patient=patient_id)
    return True


def _is_wanted(connection: Connection, patient_id: str) -> bool:
    """Whether a lane or a task still needs something of the patient."""
    levels = _tree(patient_id)
    instances = levels[-1]
    versions = (
        select(_version.c.version_id)
        .where(_version.c.instance_id.in_(instances))
        .where(wanted_by_a_task(_version.c.version_id) | wanted_by_a_lane(_version.c.version_id))
    )
    tasks = select(_task.c.task_id).where(
        _task.c.instance_id.in_(instances), _task.c.state.in_(OPEN)
    )
    event = schema.event.c
    about = or_(event.subject == patient_id, *(event.subject.in_(level) for level in levels))
    told = waits_in_a_lane(event.version_id.is_(None), about)
    return any(
        connection.scalar(select(asked), lanes_now())
        for asked in (versions.exists(), tasks.exists(), told)
    )


def _tree(patient_id: str) -> Sequence[Select[Any]]:
    """The ids of the studies of a patient, of their series, and of their instances."""
    levels = [select(_resource.c.resource_id).where(_resource.c.parent_id == patient_id)]
    for _ in (Level.SERIES, Level.INSTANCE):
        below = _resource.alias()
        levels.append(select(below.c.resource_id).where(below.c.parent_id.in_(levels[-1])))
    return levels
