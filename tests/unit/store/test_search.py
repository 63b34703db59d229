"""Searching the index: the database is asked so that it looks at little."""

import pytest
from sqlalchemy import event

from gateway.dicom.matching import condition
from gateway.dicom.tag_names import parse_tag
from gateway.model import Level
from gateway.store.search import Query, Search


@pytest.fixture
def search(store):
    return Search(store.engine, store.files)


def query(level: Level, **asked: str) -> Query:
    return Query(level, [condition(parse_tag(name), text) for name, text in asked.items()])


@pytest.fixture
def plan_of(store, search):
    """`plan_of(query)`: how the database goes about it."""

    def explain(asked: Query) -> str:
        statements: list[tuple[str, object]] = []

        def note(connection, cursor, statement, parameters, context, many):
            statements.append((statement, parameters))

        event.listen(store.engine, "before_cursor_execute", note)
        search.find(asked)
        event.remove(store.engine, "before_cursor_execute", note)
        (_begin, (statement, parameters)) = statements
        with store.engine.connect() as connection:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "\n".join(row[3] for row in rows)

    return explain


@pytest.mark.parametrize(
    ("level", "asked"),
    [
        (Level.INSTANCE, {"SOPInstanceUID": "1.2"}),
        (Level.INSTANCE, {"StudyInstanceUID": "1.2", "Modality": "CT"}),
        (Level.INSTANCE, {"PatientID": "A\\B"}),
        (Level.SERIES, {"PatientName": "Doe*"}),
        (Level.SERIES, {"AccessionNumber": "1"}),
        (Level.STUDY, {"StudyDate": "20200101-20201231"}),
        (Level.STUDY, {"PatientID": "A", "ModalitiesInStudy": "CT"}),
        (Level.PATIENT, {"PatientBirthDate": "-19700101"}),
    ],
)
def test_a_search_begins_with_the_index_of_identifiers(plan_of, level, asked):
    plan = plan_of(query(level, **asked))
    assert "SCAN" not in plan
    assert plan.splitlines()[0].startswith("SEARCH identifier")
    assert "keyword=? AND value" in plan


@pytest.mark.parametrize(
    "pattern", ["100%*", "100_*", "10?%_X", "*%_*", "100%_x", "*1*0*0*", "1" * 300 + "*", "\\*"]
)
def test_what_means_something_to_the_database_means_nothing_in_a_query(search, kept, pattern):
    kept(1, PatientID="100%_X")
    kept(2, PatientID="100ABX", StudyInstanceUID="1.2", SeriesInstanceUID="1.3")
    asked = condition(parse_tag("PatientID"), pattern)
    found = {each.main_tags["PatientID"] for each in search.find(Query(Level.PATIENT, [asked]))}
    assert found == {text for text in ("100%_X", "100ABX") if asked.matches(text)}


def test_case_of_every_script_is_narrowed_down_rightly(search, kept):
    kept(1, PatientName="Ännä^Straße", SpecificCharacterSet="ISO_IR 192")
    for pattern in ("ännä*", "*STRASSE", "*ä^str*"):
        assert search.count(query(Level.PATIENT, PatientName=pattern)) == 1, pattern
