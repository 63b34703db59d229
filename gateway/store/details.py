"""What the index knows of resources beside themselves, read for many of them at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from gateway.model import Level, Resource, VersionState
from gateway.store import schema
from gateway.store.prepared import Prepared, snapshot

_resource, _version = schema.resource, schema.version
_label, _metadata = schema.label, schema.resource_metadata
# Below the number of parameters that SQLite takes in one statement.
_MAXIMUM_IDS = 500
_DERIVED_FROM = ("ModifiedFrom", "AnonymizedFrom")

# Statements of answers are made once: making one costs more than running it.
_IDS: Any = bindparam("ids", expanding=True)
_CHILDREN = (
    select(_resource.c.resource_id, _resource.c.parent_id)
    .where(_resource.c.parent_id.in_(_IDS))
    .order_by(_resource.c.created_at, _resource.c.resource_id)
)
_CHILD_TAGS = _CHILDREN.add_columns(_resource.c.main_tags)
_TAGS = select(_resource.c.resource_id, _resource.c.main_tags).where(
    _resource.c.resource_id.in_(_IDS)
)
_FILES = select(_version.c.instance_id, _version.c.storage_key, _version.c.size_bytes).where(
    _version.c.instance_id.in_(_IDS), _version.c.state == VersionState.CURRENT
)
_NOTES = union_all(
    select(_metadata.c.resource_id, _metadata.c.name, _metadata.c.value).where(
        _metadata.c.resource_id.in_(_IDS), _metadata.c.name.in_(_DERIVED_FROM)
    ),
    select(_label.c.resource_id, _label.c.name, literal(None)).where(
        _label.c.resource_id.in_(_IDS)
    ),
)
_STATEMENTS: tuple[Any, ...] = (_CHILDREN, _CHILD_TAGS, _TAGS, _FILES, _NOTES)
# Runs one of them for so many ids; answers the rows.
_Run = Callable[[Any, Sequence[str]], Iterable[Any]]


def _note(name: str) -> Any:
    """A scalar subquery: the metadata of this name that an instance has."""
    return (
        select(_metadata.c.value)
        .where(_metadata.c.resource_id == _resource.c.resource_id, _metadata.c.name == name)
        .scalar_subquery()
        .label(name)
    )


_LABEL_SEPARATOR = ","  # which no label may hold
# In the statement itself: a parameter here could not be prepared.
_QUOTED_SEPARATOR: Any = literal_column(f"'{_LABEL_SEPARATOR}'")
# Everything of one instance in one row: for what is asked more often than anything else.
ONE_INSTANCE = (
    select(
        _resource,
        _version.c.storage_key,
        _version.c.size_bytes,
        *map(_note, _DERIVED_FROM),
        select(func.aggregate_strings(_label.c.name, _QUOTED_SEPARATOR))
        .where(_label.c.resource_id == _resource.c.resource_id)
        .scalar_subquery()
        .label("labels"),
    )
    .join(_version, _version.c.instance_id == _resource.c.resource_id)
    .where(_resource.c.resource_id == bindparam("id"), _version.c.state == VersionState.CURRENT)
)


@dataclass(frozen=True, slots=True)
class Details:
    """One resource, and what is shown with it.

    children: ids of the level below; child_tags: their main tags, if they were asked for.
    patient_tags: of the patient of a study. storage_key, size_bytes: of the file of an instance.
    derived_from: ModifiedFrom and AnonymizedFrom, where they are known.
    """

    resource: Resource
    children: Sequence[str] = ()
    child_tags: Sequence[Mapping[str, str]] = ()
    patient_tags: Mapping[str, str] = field(default_factory=dict)
    storage_key: str = ""
    size_bytes: int = 0
    derived_from: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()


def as_instance_details(resource: Resource, row: Any) -> Details:
    """The resource of a row of ONE_INSTANCE, and the rest of that row."""
    return Details(
        resource,
        storage_key=row.storage_key,
        size_bytes=row.size_bytes,
        derived_from={name: value for name in _DERIVED_FROM if (value := getattr(row, name))},
        labels=row.labels.split(_LABEL_SEPARATOR) if row.labels else (),
    )


class DetailsReader:
    """Reads details of resources. Thread-safe; what is read at once is of one moment."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._of_one = {
            statement: Prepared(engine, statement.params(ids=["?"])) for statement in _STATEMENTS
        }

    def read(self, resources: Sequence[Resource], *, with_child_tags: bool) -> Iterator[Details]:
        """The details of resources of one level, in the order given.

        with_child_tags: of studies or series; there may be thousands below one.
        """
        if len(resources) == 1:
            yield from self._read_one(resources, with_child_tags)
            return
        remaining = iter(resources)
        while some := list(islice(remaining, _MAXIMUM_IDS)):
            with self._engine.connect() as connection:
                found = _read(partial(_run_on, connection), some, with_child_tags)
            yield from found

    def _read_one(self, resources: Sequence[Resource], with_child_tags: bool) -> list[Details]:
        with snapshot(self._engine) as cursor:
            return _read(
                lambda statement, ids: self._of_one[statement].all(cursor, {"ids_1": ids[0]}),
                resources,
                with_child_tags,
            )


def _run_on(connection: Connection, statement: Any, ids: Sequence[str]) -> Iterable[Any]:
    return connection.execute(statement, {"ids": ids})


def _read(run: _Run, resources: Sequence[Resource], with_child_tags: bool) -> list[Details]:
    ids = [resource.resource_id for resource in resources]
    shown: dict[str, dict[str, Any]] = defaultdict(dict)
    level = resources[0].level
    if level is Level.INSTANCE:
        for row in run(_FILES, ids):
            shown[row.instance_id].update(storage_key=row.storage_key, size_bytes=row.size_bytes)
    elif with_child_tags:
        for row in run(_CHILD_TAGS, ids):
            shown[row.parent_id].setdefault("children", []).append(row.resource_id)
            shown[row.parent_id].setdefault("child_tags", []).append(row.main_tags)
    else:
        for row in run(_CHILDREN, ids):
            shown[row.parent_id].setdefault("children", []).append(row.resource_id)
    if level is Level.STUDY:
        _read_patients(run, resources, shown)
    _read_notes(run, ids, shown)
    return [Details(resource, **shown[resource.resource_id]) for resource in resources]


def _read_patients(
    run: _Run, studies: Sequence[Resource], shown: dict[str, dict[str, Any]]
) -> None:
    ids = sorted({study.parent_id for study in studies})
    tags = {row.resource_id: row.main_tags for row in run(_TAGS, ids)}
    for study in studies:
        shown[study.resource_id]["patient_tags"] = tags.get(study.parent_id, {})


def _read_notes(run: _Run, ids: Sequence[str], shown: dict[str, dict[str, Any]]) -> None:
    for resource_id, name, value in run(_NOTES, ids):
        of_resource = shown[resource_id]
        if value is None:
            of_resource.setdefault("labels", []).append(name)
        else:
            of_resource.setdefault("derived_from", {})[name] = value
