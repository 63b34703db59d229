"""Stability: a patient, study or series is stable when nothing came below it for a while.

It is decided from the index alone, so that what becomes stable while the gateway is down, or is
about to when it stops, is told at the next start. What comes later makes it unstable again.
"""

import time
from math import inf

from sqlalchemy import Connection, Engine, bindparam, case, not_, select, update

from gateway.errors import NotFound
from gateway.model import Level
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.resources import ChangeKind, log_change

_resource = schema.resource
_IS_STABLE = {
    Level.SERIES: ChangeKind.STABLE_SERIES,
    Level.STUDY: ChangeKind.STABLE_STUDY,
    Level.PATIENT: ChangeKind.STABLE_PATIENT,
}
# A series is told before its study, and that before its patient, as Orthanc does.
_LOWEST_FIRST = case(
    {level: order for order, level in enumerate(_IS_STABLE)}, value=_resource.c.level
)
_DUE = (
    select(_resource.c.resource_id, _resource.c.level)
    .where(not_(_resource.c.is_stable), _resource.c.last_update <= bindparam("quiet_since"))
    .order_by(_resource.c.last_update, _LOWEST_FIRST)
    .limit(bindparam("at_most"))
)
_SETTLE = (
    update(_resource)
    .where(
        _resource.c.resource_id == bindparam("id"),
        not_(_resource.c.is_stable),
        _resource.c.last_update <= bindparam("quiet_since"),
    )
    .values(is_stable=True)
)
# Its time begins anew: nobody says when it began otherwise.
_UNSETTLE = (
    update(_resource)
    .where(_resource.c.resource_id == bindparam("id"), _resource.c.is_stable)
    .values(is_stable=False, last_update=bindparam("now"))
)
_LEVEL = select(_resource.c.level).where(_resource.c.resource_id == bindparam("id"))


class Stability:
    """Finds what has become stable, and notes it among the changes, once."""

    def __init__(self, engine: Engine, committer: Committer, age_s: float) -> None:
        """age_s: how long nothing may have come."""
        self._engine = engine
        self._committer = committer
        self._age_s = age_s

    def declare(self, resource_id: str, *, stable: bool) -> bool:
        """See StableStatus."""
        return self._committer.commit(lambda connection: _declare(connection, resource_id, stable))

    def settle(self, limit: int) -> int:
        """Note up to `limit` resources as stable; answer how many."""
        quiet_since = time.time() - self._age_s
        with self._engine.connect() as connection:
            due = connection.execute(_DUE, {"quiet_since": quiet_since, "at_most": limit}).all()
        if not due:
            return 0
        return self._committer.commit(
            lambda connection: sum(
                _settle(connection, found, level, quiet_since) for found, level in due
            )
        )


def _declare(connection: Connection, resource_id: str, stable: bool) -> bool:
    level = connection.scalar(_LEVEL, {"id": resource_id})
    if level not in _IS_STABLE:
        raise NotFound(f"{resource_id} is no patient, study or series that is there")
    if stable:
        return _settle(connection, resource_id, level, quiet_since=inf)
    changed = connection.execute(_UNSETTLE, {"id": resource_id, "now": time.time()})
    return changed.rowcount > 0


def _settle(connection: Connection, resource_id: str, level: str, quiet_since: float) -> bool:
    """False when something came, or it went, since it was found."""
    settled = connection.execute(_SETTLE, {"id": resource_id, "quiet_since": quiet_since})
    if not settled.rowcount:
        return False
    log_change(connection, _IS_STABLE[Level(level)], Level(level), resource_id)
    return True
