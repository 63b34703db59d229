"""What the tests of the store share: rows at a glance, plans, time that passes."""

import time
from collections.abc import Callable

import pytest
from store_support import Instances

from gateway.model import Action, NewTask, Step, Version
from gateway.store.opened import Store


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`later(seconds)`: from now on the clock on the wall is that much ahead."""
    real = time.time
    ahead_s = 0.0

    def pass_time(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    monkeypatch.setattr(time, "time", lambda: real() + ahead_s)
    return pass_time


@pytest.fixture
def kept(store: Store, receive, made_ct) -> Callable[..., Version]:
    """Keep a made image; answers its version."""

    def keep(number: int = 1, **attributes: object) -> Version:
        version = Instances(store.engine).current(receive(made_ct(number, **attributes)))
        assert version is not None
        return version

    return keep


def step(
    number: int,
    action: Action,
    version: Version,
    *,
    result_of: int | None = None,
    needs: tuple[int, ...] = (),
    destination: str = "",
    **parameters: object,
) -> NewTask:
    """One task of a plan; needs what it is a result of, and `needs`."""
    return NewTask(
        Step(
            number, action, subject="" if result_of else version.instance_id, result_of=result_of,
            destination=destination, parameters=parameters, line=f"lane.lua:{number}",
        ),
        instance_id=version.instance_id,
        version_id=None if result_of and action is not Action.DELETE else version.version_id,
        needs=tuple(sorted({*needs, *([result_of] if result_of else [])})),
    )  # fmt: skip


@pytest.fixture
def new_task() -> Callable[..., NewTask]:
    """Make a task of a plan: `new_task(number, action, version, result_of=, needs=, ...)`."""
    return step
