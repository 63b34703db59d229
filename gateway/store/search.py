"""Searching: which resources are what a query asks for.

The database narrows the resources down by the few tags that have an index of their own; what is
left is compared with the main tags that the database keeps; and only for tags that it does not
know, the first file of each resource that is still left is opened.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, pairwise
from typing import Any

from pydicom.datadict import keyword_for_tag, tag_for_keyword
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Row,
    Select,
    exists,
    func,
    select,
)

from gateway.dicom.main_tags import ALL_MAIN_TAGS, IDENTIFIER_TAGS, MAIN_TAGS, normalized
from gateway.dicom.matching import Condition, Matching
from gateway.dicom.views import View, file_view
from gateway.errors import InstanceUnreadable
from gateway.model import Level, Resource, VersionState
from gateway.store import schema
from gateway.store.catalogue import as_resource, select_related
from gateway.store.files import FileStorage

_LEVELS = tuple(Level)
_MODALITIES_IN_STUDY = tag_for_keyword("ModalitiesInStudy")
_ROWS_AT_ONCE = 256
_AFTER_EVERYTHING = "\U0010ffff"
_MAXIMUM_STARS, _LONGEST_LIKE = 2, 256
_version, _label = schema.version, schema.label


class LabelsConstraint(StrEnum):
    """How many of the labels a resource has to have; the values are Orthanc's."""

    ALL = "All"
    ANY = "Any"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for: resources of one level that meet all conditions."""

    level: Level
    conditions: Sequence[Condition] = ()
    labels: Collection[str] = ()
    labels_constraint: LabelsConstraint = LabelsConstraint.ALL


class Search:
    """Over the index and the files of one store."""

    def __init__(self, engine: Engine, files: FileStorage) -> None:
        self._engine = engine
        self._files = files

    def find(self, query: Query, *, since: int = 0, limit: int = 0) -> list[Resource]:
        """The resources, by id; instances in the order of their arrival.

        since: so many are passed over; limit: at most so many, 0 for all.
        """
        with self._engine.connect() as connection:
            found = self._matching(connection, query)
            return list(islice(found, since, since + limit if limit else None))

    def count(self, query: Query) -> int:
        """How many there are."""
        with self._engine.connect() as connection:
            return sum(1 for _ in self._matching(connection, query))

    def _matching(self, connection: Connection, query: Query) -> Iterator[Resource]:
        conditions = [each for each in query.conditions if not each.is_universal]
        plan = _Plan(query.level)
        sources = [(each, plan.source_of(each)) for each in conditions]
        if any(source is None for _, source in sources):
            return
        in_file = [each for each, source in sources if source == _FILE]
        in_index = [(each, source) for each, source in sources if source and source != _FILE]
        statement = plan.statement(query, in_index)
        streaming = connection.execution_options(yield_per=_ROWS_AT_ONCE)
        for row in streaming.execute(statement):
            if all(each.matches(_indexed(row, each, source)) for each, source in in_index):
                resource = as_resource(row)
                if not in_file or self._matches_file(connection, resource, in_file):
                    yield resource

    def _matches_file(
        self, connection: Connection, resource: Resource, conditions: Sequence[Condition]
    ) -> bool:
        key = connection.scalar(_first_file(resource))
        if key is None:
            return False
        tags = {each.tag for each in conditions}
        try:
            content = file_view(self._files.path(key), View.SHORT, whole=tags)
        except (InstanceUnreadable, OSError):  # it went meanwhile, or is damaged: recovery tells
            return False
        return all(
            each.matches(content.get(f"{each.tag.group:04x},{each.tag.element:04x}"))
            for each in conditions
        )


_FILE = "file"
_MODALITIES = "modalities"


class _Plan:
    """The tables of a level and of those above it, and where in them a condition is decided."""

    def __init__(self, level: Level) -> None:
        self._level = level
        depth = _LEVELS.index(level) + 1
        self._tables: dict[Level, FromClause] = {
            each: schema.resource.alias() for each in _LEVELS[:depth]
        }

    def source_of(self, condition: Condition) -> str | None:
        """A level, the file, or the modalities of a study; None: it is never met on this level."""
        keyword = keyword_for_tag(condition.tag)
        for level in reversed(self._tables):
            if keyword in MAIN_TAGS[level]:
                return level
        if condition.tag == _MODALITIES_IN_STUDY and self._level is Level.STUDY:
            return _MODALITIES
        return None if condition.tag in ALL_MAIN_TAGS else _FILE

    def statement(self, query: Query, conditions: Sequence[tuple[Condition, str]]) -> Select[Any]:
        """Rows of the level with the main tags that the conditions need, narrowed down."""
        own = self._tables[self._level]
        statement = self._with_levels_above({source for _, source in conditions})
        if any(source == _MODALITIES for _, source in conditions):
            statement = statement.add_columns(_modalities_of(own).label(_MODALITIES))
        looked_up = [each for each in conditions if self._is_identifier(*each)]
        for condition, source in looked_up:
            statement = self._narrowed(statement, condition, source)
        if not looked_up:
            # Else the level follows from the identifier's, and the database would rather go
            # through all of a level than begin with the identifier.
            statement = statement.where(own.c.level == self._level)
        order = (own.c.created_at,) if self._level is Level.INSTANCE else ()
        return statement.where(*_with_labels(own, query)).order_by(*order, own.c.resource_id)

    def _with_levels_above(self, needed: Collection[str]) -> Select[Any]:
        """Each level that is needed, by its name, and those between."""
        statement = select(self._tables[self._level])
        highest = next((level for level in self._tables if level in needed), self._level)
        levels = _LEVELS[_LEVELS.index(highest) : _LEVELS.index(self._level) + 1]
        for above, below in reversed(list(pairwise(levels))):
            table = self._tables[above]
            on = table.c.resource_id == self._tables[below].c.parent_id
            statement = statement.join(table, on).add_columns(table.c.main_tags.label(above))
        return statement

    def _is_identifier(self, condition: Condition, source: str) -> bool:
        keyword = keyword_for_tag(condition.tag)
        return source in self._tables and keyword in IDENTIFIER_TAGS[Level(source)]

    def _narrowed(self, statement: Select[Any], condition: Condition, source: str) -> Select[Any]:
        """Only what the table of identifiers has for the condition, or more; not less."""
        table, identifier = self._tables[Level(source)], schema.identifier.alias()
        on = identifier.c.resource_id == table.c.resource_id
        return statement.join(identifier, on).where(
            identifier.c.keyword == keyword_for_tag(condition.tag),
            *_could_be(identifier.c.value, condition),
        )


def _could_be(value: ColumnElement[str], condition: Condition) -> list[ColumnElement[bool]]:
    """True of every normalized value that meets the condition."""
    wanted = [normalized(each) for each in condition.values]
    if condition.matching is Matching.RANGE:
        first, last = wanted
        return [value >= first, *([value <= last + _AFTER_EVERYTHING] if last else ())]
    if condition.matching is Matching.WILDCARD:
        return _could_look_like(value, wanted[0])
    return [value.in_(wanted)]


def _could_look_like(value: ColumnElement[str], pattern: str) -> list[ColumnElement[bool]]:
    prefix = pattern.partition("*")[0].partition("?")[0]
    narrowing = [value >= prefix, value <= prefix + _AFTER_EVERYTHING] if prefix else []
    # The time that LIKE takes explodes with the number of its wildcards.
    if pattern.count("*") <= _MAXIMUM_STARS and len(pattern) <= _LONGEST_LIKE:
        escaped = re.sub(r"([\\%_])", r"\\\1", pattern)
        like = escaped.replace("*", "%").replace("?", "_")
        narrowing.append(value.like(like, escape="\\"))
    return narrowing


def _with_labels(own: FromClause, query: Query) -> list[ColumnElement[bool]]:
    if not query.labels:
        return []
    has = [
        exists().where(_label.c.resource_id == own.c.resource_id, _label.c.name == name)
        for name in query.labels
    ]
    if query.labels_constraint is LabelsConstraint.NONE:
        return [~each for each in has]
    if query.labels_constraint is LabelsConstraint.ALL:
        return list(has)
    names = _label.c.name.in_(query.labels)
    return [exists().where(_label.c.resource_id == own.c.resource_id, names)]


def _modalities_of(study: FromClause) -> ColumnElement[Any]:
    series = schema.resource.alias()
    modality = series.c.main_tags["Modality"].as_string()
    return (
        select(func.aggregate_strings(modality, "\\"))
        .where(series.c.parent_id == study.c.resource_id)
        .scalar_subquery()
    )


def _indexed(row: Row[Any], condition: Condition, source: str) -> object:
    """What the index tells of a condition's tag."""
    if source == _MODALITIES:
        return row.modalities
    tags: Mapping[str, str] = row.main_tags if source == row.level else getattr(row, source)
    return tags.get(keyword_for_tag(condition.tag))


def _first_file(resource: Resource) -> Select[Any]:
    """The key of the file that stands for a resource."""
    first = select_related(resource, Level.INSTANCE).limit(1).scalar_subquery()
    return select(_version.c.storage_key).where(
        _version.c.instance_id == first, _version.c.state == VersionState.CURRENT
    )
