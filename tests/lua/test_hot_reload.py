"""What an administrator sees who edits the script folder of a running gateway."""

import os
import shutil
import threading

import pytest
from scripting_support import FakeQueue, make_event
from structlog.testing import capture_logs

from gateway.model import Action
from gateway.scripting import folder as folder_module

FORWARD = "function OnStoredInstance(id) Forward(id, 'archive') end"
DELETE = "function OnStoredInstance(id) Delete(id) end"


def action_of_next_event(queue: FakeQueue, lane: str, number: int) -> list[Action]:
    steps = queue.until_settled(lane, queue.add(make_event(number)))
    return [step.action for step in steps]


# Between a change and a look at it.
LONGEST_WAIT_S = folder_module._POLLING_S + folder_module.LONGEST_DEBOUNCE_S


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No editor saves in several steps here."""
    monkeypatch.setattr(folder_module, "DEBOUNCE_S", 0.05)
    monkeypatch.setattr(folder_module, "_POLLING_S", 0.1)


@pytest.fixture(params=["events", "polling"])
def running(site, request, monkeypatch):
    """A script that runs; that it changes only an event or a poll tells."""
    monkeypatch.setattr(folder_module, "RESCAN_S", 3600)
    site.write("route.lua", FORWARD)
    site.start(polling=request.param == "polling")
    site.until_runs("route.lua")
    return site


def test_an_edited_script_takes_effect_within_a_second(running):
    """How long it takes to load is up to the script and the machine."""
    before = running.until_runs("route.lua")

    running.write("route.lua", DELETE)
    running.until_runs("route.lua", other_than=before)

    assert LONGEST_WAIT_S <= 1
    assert action_of_next_event(running.queue, "route.lua", 1) == [Action.DELETE]


def test_a_script_written_in_place_takes_effect(running):
    before = running.until_runs("route.lua")

    (running.folder / "route.lua").write_text(DELETE)

    running.until_runs("route.lua", other_than=before)
    assert action_of_next_event(running.queue, "route.lua", 1) == [Action.DELETE]


def test_a_new_script_gets_the_events_that_come_after_it(running):
    old = running.queue.add(make_event(1))
    running.queue.until_settled("route.lua", old)

    running.write("more.lua", DELETE)
    running.until_runs("more.lua")

    assert action_of_next_event(running.queue, "more.lua", 2) == [Action.DELETE]
    assert ("more.lua", 1) not in running.queue.settled


def test_a_removed_script_is_finalized_and_its_lane_closed(running, tmp_path):
    before = running.until_runs("route.lua")
    running.write("route.lua", f"function Finalize() io.open('{tmp_path}/end', 'w'):close() end")
    running.until_runs("route.lua", other_than=before)

    (running.folder / "route.lua").unlink()

    running.queue.until(lambda: "route.lua" not in running.queue.open)
    assert (tmp_path / "end").exists()


def test_a_removed_script_that_comes_back_goes_on_with_what_waited(running):
    content = (running.folder / "route.lua").read_bytes()
    (running.folder / "route.lua").unlink()
    running.queue.until(lambda: "route.lua" not in running.queue.open)
    waiting = running.queue.add(make_event(1))

    running.write("route.lua", content)

    assert running.queue.until_settled("route.lua", waiting)
    assert "route.lua" in running.queue.open


@pytest.mark.parametrize(
    ("broken", "fault"),
    [("function OnStoredInstance(id)\n  x = = 1\nend", "route.lua:2: "),
     ("\nerror('at load')", "route.lua:2: at load"),
     ("function Initialize()\n  error('at start')\nend", "route.lua:2: at start"),
     ("-- gateway: timeout=0.2\nwhile true do end", "route.lua:2: ran longer than"),
     ("-- gateway: treads=2", "route.lua:1: unknown header key 'treads'"),
     (b"\x1bLJ", "route.lua:1: byte code is refused"),
     ("return require('lib.none')", "route.lua:1: module 'lib.none' not found")],
    ids=["syntax", "main chunk", "Initialize", "endless", "header", "byte code", "module"],
)  # fmt: skip
def test_the_last_good_version_goes_on_when_an_edit_is_broken(site, broken, fault):
    site.write("route.lua", FORWARD)
    site.start()
    good = site.until_runs("route.lua")

    with capture_logs() as logs:
        site.write("route.lua", broken)
        reported = site.until_fault("route.lua")

    assert reported.startswith(fault)
    assert [log["reason"] for log in logs if log["event"] == "script not loaded"] == [reported]
    assert site.queue.statuses["route.lua"]["version"] == good
    assert action_of_next_event(site.queue, "route.lua", 1) == [Action.FORWARD]

    site.write("route.lua", DELETE)
    site.until_runs("route.lua", other_than=good)
    assert action_of_next_event(site.queue, "route.lua", 2) == [Action.DELETE]


def test_taking_a_broken_edit_back_clears_the_fault(site):
    site.write("route.lua", FORWARD)
    site.start()
    good = site.until_runs("route.lua")
    site.write("route.lua", "x = = 1")
    site.until_fault("route.lua")

    site.write("route.lua", FORWARD)

    assert site.until_runs("route.lua") == good


def test_events_of_a_script_that_never_loaded_wait_until_it_does(site):
    site.write("route.lua", "x = = 1")
    site.start()
    site.until_fault("route.lua")
    event = site.queue.add(make_event())

    site.write("route.lua", FORWARD)

    assert site.queue.until_settled("route.lua", event)


def test_an_event_in_flight_ends_on_the_version_it_began_on(site, tmp_path):
    site.write(
        "route.lua",
        "function OnStoredInstance(id)"
        f" os.execute('touch {tmp_path}/begun; until test -e {tmp_path}/go; do sleep 0.02; done')"
        " Forward(id, 'archive') end",
    )
    site.start()
    before = site.until_runs("route.lua")
    first, second = site.queue.add(make_event(1)), site.queue.add(make_event(2))
    site.queue.until(lambda: (tmp_path / "begun").exists())

    site.write("route.lua", DELETE)
    site.until_runs("route.lua", other_than=before)
    (tmp_path / "go").touch()

    assert site.queue.until_settled("route.lua", first)[0].action is Action.FORWARD
    assert site.queue.until_settled("route.lua", second)[0].action is Action.DELETE


def test_a_module_edit_renews_the_scripts_that_use_it_and_no_others(site):
    site.write("lib/names.lua", "return 'archive'")
    site.write("user.lua", "local name = require('lib.names')\n"
               "function OnStoredInstance(id) Forward(id, name) end")  # fmt: skip
    site.write("other.lua", FORWARD)
    site.start()
    user, other = site.until_runs("user.lua"), site.until_runs("other.lua")

    with capture_logs() as logs:
        site.write("lib/names.lua", "return 'pacs'")
        site.until_runs("user.lua", other_than=user)

    steps = site.queue.until_settled("user.lua", site.queue.add(make_event()))
    assert [step.destination for step in steps] == ["pacs"]
    assert site.until_runs("other.lua") == other
    assert {log["script"] for log in logs if log["event"] == "script loaded"} == {"user.lua"}


def test_a_module_that_was_missing_mends_the_script_that_wants_it(site):
    site.write("user.lua", f"require('lib.late') {FORWARD}")
    site.start()
    site.until_fault("user.lua")

    site.write("lib/late.lua", "return 1")

    assert site.until_runs("user.lua")


def test_a_folder_that_is_deleted_leaves_the_scripts_running_and_is_seen_when_it_is_back(running):
    with capture_logs() as logs:
        shutil.rmtree(running.folder)
        running.queue.until(
            lambda: (
                any(log["event"].startswith("script folder cannot be read") for log in logs)
                or "route.lua" not in running.queue.open
            )
        )
    # An observer may see the file go before the folder: then the lane is closed for a moment.
    running.folder.mkdir()
    running.write("route.lua", DELETE)
    running.queue.until(
        lambda: (
            action_of_next_event(running.queue, "route.lua", len(running.queue.events))
            == [Action.DELETE]
        )
    )

    before = running.until_runs("route.lua")
    running.write("route.lua", FORWARD)
    running.until_runs("route.lua", other_than=before)


def test_a_folder_that_is_missing_at_the_start_is_used_when_it_appears(site):
    site.folder.rmdir()
    site.start()

    site.folder.mkdir()
    site.write("route.lua", FORWARD)

    assert site.until_runs("route.lua")


def test_a_folder_behind_a_link_may_be_exchanged(quick_rescans, site):
    first, second = site.folder.with_name("first"), site.folder.with_name("second")
    site.folder.rename(first)
    second.mkdir()
    (first / "route.lua").write_text(FORWARD)
    (second / "route.lua").write_text(DELETE)
    site.folder.symlink_to(first)
    site.start()
    before = site.until_runs("route.lua")

    replacement = site.folder.with_name("replacement")
    replacement.symlink_to(second)
    replacement.replace(site.folder)

    site.until_runs("route.lua", other_than=before)


def test_files_of_editors_and_other_files_are_no_scripts(site):
    for name in (".hidden.lua", "4913", "route.lua~", ".route.lua.swp", "route.lua.tmp", "x.txt"):
        site.write(name, DELETE)
    (site.folder / "folder.lua").mkdir()
    site.write("route.lua", FORWARD)
    site.start()

    site.until_runs("route.lua")

    assert site.host.lanes == ("route.lua",)
    assert site.queue.open == {"route.lua"}


def test_lanes_are_open_when_start_returns_so_that_no_event_is_missed(site):
    site.write("slow.lua", "os.execute('sleep 0.3')\n" + FORWARD)
    site.start()

    assert site.queue.open == {"slow.lua"}
    assert site.queue.until_settled("slow.lua", site.queue.add(make_event()))


def test_a_file_that_cannot_be_read_is_a_fault_of_its_script(site):
    os.mkfifo(site.folder / "pipe.lua")
    site.write("route.lua", FORWARD)
    site.start()

    fault = site.until_fault("pipe.lua")
    assert fault.startswith("pipe.lua: cannot be read: it is not a file")
    assert site.until_runs("route.lua")


def test_a_main_chunk_that_hangs_in_c_is_given_up_and_other_scripts_load(site):
    fifo = site.folder.parent / "fifo"
    os.mkfifo(fifo)
    site.write("stuck.lua", f"-- gateway: timeout=0.1\nio.open('{fifo}'):close()")
    site.write("route.lua", FORWARD)
    site.start()

    assert site.until_runs("route.lua")
    assert "inside one call of a C function" in site.until_fault("stuck.lua")
    site.write("stuck.lua", FORWARD)
    assert site.until_runs("stuck.lua")
    fifo.open("w").close()


def test_a_version_that_loads_slowly_does_not_overtake_a_later_edit(site, tmp_path):
    site.write("route.lua", FORWARD)
    site.start()
    before = site.until_runs("route.lua")
    site.write(
        "route.lua",
        f"os.execute('touch {tmp_path}/begun; until test -e {tmp_path}/go; do sleep 0.02; done')",
    )
    site.queue.until(lambda: (tmp_path / "begun").exists())

    site.write("route.lua", DELETE)
    latest = site.until_runs("route.lua", other_than=before)
    (tmp_path / "go").touch()
    for thread in threading.enumerate():
        if thread.name == "load route.lua":
            thread.join(5)

    assert site.until_runs("route.lua") == latest
    assert action_of_next_event(site.queue, "route.lua", 1) == [Action.DELETE]
