"""Garbage is looked for where there is some."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway.cli import garbage


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(garbage.atexit, "register", lambda action: None)
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


class Knot:
    """Refers to itself: only the search for garbage finds that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_loaded_is_left_out_and_what_comes_after_it_is_found():
    garbage.expect_modules()
    before = weakref.ref(Knot())
    garbage.keep_loaded()
    after = weakref.ref(Knot())
    gc.collect()
    assert before() is not None
    assert after() is None


def test_garbage_is_looked_for_as_often_as_before_when_all_is_loaded():
    usual = gc.get_threshold()
    garbage.expect_modules()
    assert gc.get_threshold() > usual
    garbage.keep_loaded()
    assert gc.get_threshold() == usual
