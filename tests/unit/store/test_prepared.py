"""A prepared statement answers what SQLAlchemy would, only sooner."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import bindparam, select

from gateway.model import Level
from gateway.store import schema
from gateway.store.catalogue import Catalogue
from gateway.store.instances import CURRENT_VERSION
from gateway.store.prepared import Prepared

RESOURCE = select(schema.resource).where(schema.resource.c.resource_id == bindparam("id"))


@pytest.fixture
def instance_id(receive, made_ct):
    return receive(made_ct(1, PatientName="Müller^Änne"))


@pytest.mark.parametrize(
    ("statement", "name"), [(RESOURCE, "id"), (CURRENT_VERSION, "instance_id")]
)
def test_the_row_is_that_of_sqlalchemy(store, instance_id, statement, name):
    with store.engine.connect() as connection:
        expected = connection.execute(statement, {name: instance_id}).one()
    found = Prepared(store.engine, statement).first({name: instance_id})
    assert found._asdict() == expected._asdict()


def test_no_row_is_none(store):
    assert Prepared(store.engine, RESOURCE).first({"id": "' OR 1=1 --"}) is None


def test_threads_share_a_statement_and_each_read_is_of_its_moment(store, receive, made_ct):
    statement = Prepared(store.engine, RESOURCE)
    ids = []
    with ThreadPoolExecutor(4) as threads:
        for number in range(20):
            ids.append(receive(made_ct(number)))
            found = threads.map(lambda each: statement.first({"id": each}).resource_id, ids)
            assert list(found) == ids
    assert store.engine.pool.checkedout() == 0


@pytest.fixture
def described(store, receive, made_ct):
    """Two patients, and every resource of the first has labels and metadata; its instance."""
    instance_id = receive(made_ct(1, PatientName="Müller^Änne"))
    receive(made_ct(2, PatientID="another"))

    def describe(connection):
        for level in Level:
            resource_id = Catalogue(store.engine).ids(level)[0]
            for name in ("b-label", "a_label"):
                connection.execute(schema.label.insert().values(resource_id=resource_id, name=name))
            connection.execute(
                schema.resource_metadata.insert().values(
                    resource_id=resource_id, name="ModifiedFrom", value="x", revision=0
                )
            )

    store.committer.commit(describe)
    return instance_id


def test_an_instance_is_shown_the_same_alone_and_with_its_kind(store, described):
    catalogue = Catalogue(store.engine)
    (read,) = catalogue.details([catalogue.get(described)])
    alone = catalogue.instance(described)
    assert sorted(alone.labels) == sorted(read.labels) == ["a_label", "b-label"]
    for name in ("resource", "storage_key", "size_bytes", "derived_from"):
        assert getattr(alone, name) == getattr(read, name)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("with_child_tags", [False, True])
def test_a_resource_is_shown_the_same_alone_and_among_others(
    store, described, level, with_child_tags
):
    catalogue = Catalogue(store.engine)
    resources = [catalogue.get(each) for each in catalogue.ids(level)]
    assert len(resources) == 2
    together = list(catalogue.details(resources, with_child_tags=with_child_tags))
    for resource, among_others in zip(resources, together, strict=True):
        (alone,) = catalogue.details([resource], with_child_tags=with_child_tags)
        assert alone == among_others
    assert sorted(together[0].labels) == ["a_label", "b-label"]
    assert store.engine.pool.checkedout() == 0


def test_only_an_instance_is_an_instance(store, instance_id):
    catalogue = Catalogue(store.engine)
    series = catalogue.ids(Level.SERIES)[0]
    assert catalogue.instance(series) is None
