"""When something is stable: nothing came for a while, and it is told once."""

import pytest
from sqlalchemy import select

from gateway.model import Level
from gateway.store import schema
from gateway.store.catalogue import Catalogue
from gateway.store.changes import ChangeLog
from gateway.store.instances import mark_deleted
from gateway.store.stability import Stability

AGE_S = 60


@pytest.fixture
def stability(store):
    return Stability(store.engine, store.committer, AGE_S)


@pytest.fixture
def told(store):
    """`told()`: the kinds of changes that speak of stability, oldest first."""
    changes = ChangeLog(store.engine, store.committer)

    def kinds() -> list[str]:
        entries = changes.changes(since=0, limit=1000).entries
        return [entry.kind for entry in entries if entry.kind.startswith("Stable")]

    return kinds


def stable_levels(store) -> set[str]:
    catalogue = Catalogue(store.engine)
    found = (catalogue.get(each) for level in Level for each in catalogue.ids(level))
    return {
        resource.level for resource in found if resource.is_stable and resource.level != "Instance"
    }


def test_nothing_is_stable_while_it_is_young(store, kept, stability):
    kept(1)
    assert stability.settle(100) == 0
    assert stable_levels(store) == set()


def test_after_a_while_series_study_and_patient_are_stable(store, kept, stability, told, later):
    kept(1)
    later(AGE_S + 1)
    assert stability.settle(100) == 3
    assert stable_levels(store) == {"Series", "Study", "Patient"}
    assert told() == ["StableSeries", "StableStudy", "StablePatient"]


def test_it_is_told_once(kept, stability, told, later):
    kept(1)
    later(AGE_S + 1)
    stability.settle(100)
    later(AGE_S + 1)
    assert stability.settle(100) == 0
    assert len(told()) == 3


def test_it_is_told_at_the_next_start_when_the_gateway_was_down(store, kept, told, later):
    kept(1)
    later(AGE_S + 1)
    assert Stability(store.engine, store.committer, AGE_S).settle(100) == 3


def test_another_instance_makes_all_above_it_unstable_again(store, kept, stability, told, later):
    kept(1)
    later(AGE_S + 1)
    stability.settle(100)
    kept(2)
    assert stable_levels(store) == set()
    later(AGE_S + 1)
    assert stability.settle(100) == 3
    assert told() == ["StableSeries", "StableStudy", "StablePatient"] * 2


def test_only_what_got_something_becomes_unstable(store, kept, stability, told, later):
    kept(1)
    later(AGE_S + 1)
    stability.settle(100)
    kept(2, SeriesInstanceUID="1.2.3")
    later(AGE_S + 1)
    assert stability.settle(100) == 3
    assert told().count("StableSeries") == 2


def test_an_instance_that_comes_just_in_time_delays_it(kept, stability, later):
    kept(1)
    later(AGE_S - 1)
    kept(2)
    later(2)
    assert stability.settle(100) == 0


def test_a_deletion_does_not_make_unstable(store, kept, stability, later):
    kept(1)
    second = kept(2)
    later(AGE_S + 1)
    stability.settle(100)
    store.committer.commit(lambda connection: mark_deleted(connection, second.version_id))
    assert stable_levels(store) == {"Series", "Study", "Patient"}


def test_what_was_deleted_before_it_got_stable_is_not_told(store, kept, stability, told, later):
    version = kept(1)
    store.committer.commit(lambda connection: mark_deleted(connection, version.version_id))
    later(AGE_S + 1)
    assert stability.settle(100) == 0
    assert told() == []


def test_a_backlog_is_worked_off_by_the_batch_lowest_first(kept, stability, told, later):
    kept(1)
    later(AGE_S + 1)
    assert [stability.settle(2), stability.settle(2), stability.settle(2)] == [2, 1, 0]
    assert told() == ["StableSeries", "StableStudy", "StablePatient"]


def test_looking_for_it_reads_no_row_that_is_stable(store):
    """It is asked every second: over a million instances it must cost nothing."""
    resource = schema.resource.c
    with store.engine.connect() as connection:
        statement = select(resource.resource_id).where(
            ~resource.is_stable, resource.last_update <= 0
        )
        sql = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
    assert "ix_resource_unstable" in str(plan)
