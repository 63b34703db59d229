"""The work of CALL tasks, with real commands."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.metrics import Metrics
from gateway.model import Action, NewTask, Step, TaskRow, TaskState, Version
from gateway.routing.commands import CommandWorker
from gateway.store.opened import Store


@pytest.fixture
def run(store: Store, version: Version, tmp_path: Path) -> Callable[..., TaskRow]:
    """Plan a command and carry it out; answers its task."""

    def carry_out(
        command: str, *arguments: str, timeout_s: float = 20, stopping: bool = False
    ) -> TaskRow:
        parameters = {"command": command, "arguments": list(arguments)}
        step = Step(1, Action.CALL, version.instance_id, parameters=parameters, line="a.lua:1")
        task = NewTask(step, version.instance_id, version.version_id, ())
        store.outbox.settle("a", 1, lambda find: [task])
        worker = CommandWorker(store.tasks, store.files, timeout_s, Metrics())
        assert worker.work(lambda: stopping)
        assert list((tmp_path / "data" / "incoming").iterdir()) == []
        (row,) = store.board.rows([*TaskState])
        return row

    return carry_out


def test_the_file_of_the_image_is_the_last_argument(store, version, run, tmp_path):
    assert run("cp", "-t", str(tmp_path)).state is TaskState.DONE
    (copy,) = tmp_path.glob("*.dcm")
    assert copy.read_bytes() == store.files.path(version.storage_key).read_bytes()


def test_what_a_command_does_to_its_file_does_not_change_the_stored_one(store, version, run):
    path = store.files.path(version.storage_key)
    before = path.read_bytes()
    assert run("truncate", "-s", "3").state is TaskState.DONE
    assert path.read_bytes() == before


def test_no_shell_looks_at_the_arguments(run, tmp_path):
    names = ("$HOME;x", "`id`", "* ?")
    assert run("touch", *(str(tmp_path / name) for name in names)).state is TaskState.DONE
    assert all((tmp_path / name).exists() for name in names)


def test_what_it_says_is_in_the_log(run):
    with capture_logs() as logs:
        run("sh", "-c", "echo out; echo err >&2; exit 0")
    (ended,) = [entry for entry in logs if entry["event"] == "command ended"]
    assert (ended["output"], ended["code"]) == ("out\nerr", 0)


def test_only_the_end_of_much_output_is_kept(run):
    with capture_logs() as logs:
        run("sh", "-c", "yes noise | head -c 300000; echo the end")
    (ended,) = [entry for entry in logs if entry["event"] == "command ended"]
    assert ended["output"].endswith("noise\nthe end")
    assert len(ended["output"]) <= 2000


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("sh", "-c", "exit 3"), "sh ended with exit code 3"),
        (("sh", "-c", "kill -9 $$"), "sh was ended by signal 9"),
        (("no-such-program",), "no-such-program cannot be started"),
        (("/",), "/ cannot be started"),
    ],
)
def test_a_command_that_fails_parks_its_task_with_the_reason(run, command, reason):
    row = run(*command)
    assert (row.state, row.error_kind) == (TaskState.PARKED, "command")
    assert row.error.startswith(reason)


def test_a_command_that_never_ends_is_killed_with_all_that_it_has_started(run, tmp_path):
    mark = tmp_path / "still-alive"
    started = time.monotonic()
    row = run("sh", "-c", f"(sleep 30; touch {mark}) & sleep 30", timeout_s=0.3)
    assert (row.state, row.error_kind) == (TaskState.PARKED, "command-timeout")
    assert time.monotonic() - started < 10


def test_a_command_that_runs_when_the_gateway_stops_is_run_again_at_its_next_start(
    run, monkeypatch
):
    monkeypatch.setattr("gateway.routing.commands._GRACE_S", 0.1)
    # sh, as `sleep FILE` would be an error at once
    row = run("sh", "-c", "sleep 30", stopping=True)
    assert (row.state, row.attempts, row.error) == (TaskState.WAITING, 0, "")


def test_a_command_that_soon_ends_is_waited_for_when_the_gateway_stops(run):
    assert run("true", stopping=True).state is TaskState.DONE
