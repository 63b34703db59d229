"""How a script's events are handled: settled, parked, given back, side by side."""

import os
import threading

import pytest
from scripting_support import INSTANCE_ID, make_event
from structlog.testing import capture_logs

from gateway.errors import NotFound
from gateway.model import Action, ParkedEvent

FORWARD = "function OnStoredInstance(id) Forward(id, 'archive') end"


def test_an_event_is_settled_with_what_its_script_planned(site):
    site.write("route.lua", FORWARD)
    site.start()

    steps = site.queue.until_settled("route.lua", site.queue.add(make_event()))

    assert [(s.action, s.destination, s.line) for s in steps] == [
        (Action.FORWARD, "archive", "route.lua:1")
    ]
    assert site.count(
        "gateway_script_seconds_count", script="route.lua", callback="OnStoredInstance"
    ) == 1  # fmt: skip


def test_every_script_gets_every_event_in_order(site):
    for name in ("a.lua", "b.lua"):
        site.write(name, FORWARD)
    site.start()

    events = [site.queue.add(make_event(number)) for number in range(200)]

    for name in ("a.lua", "b.lua"):
        site.queue.until_settled(name, events[-1])
        handled = [number for lane, number in site.queue.order if lane == name]
        assert handled == list(range(200))


def test_a_script_that_wants_no_events_settles_them_without_reading_tags(site):
    site.write("idle.lua", "print('loaded')")
    site.start()

    assert site.queue.until_settled("idle.lua", site.queue.add(make_event())) == ()
    assert site.tags.asked == 0


def test_an_error_parks_the_event_with_its_reason_and_nothing_planned_is_done(site):
    site.write("route.lua", "function OnStoredInstance(id)\n  Delete(id)\n  error('no')\nend")
    site.start()

    parked = site.queue.until_parked("route.lua", site.queue.add(make_event()))

    assert (parked.subject, parked.error_kind) == (INSTANCE_ID, "script-error")
    assert parked.error == "route.lua:3: no"
    assert "route.lua:3: in function" in parked.traceback
    assert parked.script_version == site.until_runs("route.lua")
    assert site.queue.settled == {}
    assert site.count("gateway_errors_total", kind="script-error") == 1


def test_the_lane_goes_on_after_a_parked_event(site):
    site.write(
        "route.lua",
        "function OnStoredInstance(id, tags, metadata) if metadata.Bad then error('no') end end",
    )
    site.start()

    site.queue.until_parked("route.lua", site.queue.add(make_event(1, Bad="yes")))

    assert site.queue.until_settled("route.lua", site.queue.add(make_event(2))) == ()


@pytest.mark.parametrize(
    ("body", "kind"),
    [("while true do end", "script-timeout"),
     ("local t = {} while true do t[#t + 1] = ('x'):rep(1e5) .. #t end", "script-memory")],
)  # fmt: skip
def test_after_a_kill_the_script_goes_on_in_a_fresh_runtime(site, body, kind):
    site.write(
        "route.lua",
        "-- gateway: timeout=0.5, memory=32\nlocal events = 0\n"
        "function OnStoredInstance(id, tags, metadata) events = events + 1\n"
        f"if metadata.Bad then {body} end if events == 1 then Delete(id) end end",
    )
    site.start()

    first = site.queue.until_settled("route.lua", site.queue.add(make_event(1)))
    parked = site.queue.until_parked("route.lua", site.queue.add(make_event(2, Bad="yes")))
    third = site.queue.until_settled("route.lua", site.queue.add(make_event(3)))

    assert parked.error_kind == kind
    assert len(first) == len(third) == 1


def test_a_slow_script_delays_no_other_script(site):
    site.write("slow.lua", "function OnStoredInstance() os.execute('sleep 60') end")
    site.write("quick.lua", FORWARD)
    site.start()
    site.until_runs("slow.lua")

    event = site.queue.add(make_event())

    assert site.queue.until_settled("quick.lua", event)
    assert ("slow.lua", event.event_id) not in site.queue.settled
    site.stop(timeout_s=0.1)


def test_concurrency_handles_so_many_events_at_once_and_each_of_them_once(site, tmp_path):
    site.write(
        "route.lua",
        "-- gateway: concurrency=3\nfunction OnStoredInstance(id, tags, metadata)\n"
        f"  local f = io.open('{tmp_path}/' .. metadata.Name, 'w') f:close()\n"
        f"  os.execute('until test -e {tmp_path}/go; do sleep 0.02; done')\nend",
    )
    site.start()

    events = [site.queue.add(make_event(number, Name=f"n{number}")) for number in range(5)]

    site.queue.until(lambda: len(list(tmp_path.glob("n*"))) == 3, "three run at once")
    (tmp_path / "go").touch()
    for event in events:
        site.queue.until_settled("route.lua", event)  # the fake fails when one is settled twice


def test_a_script_stuck_in_c_is_given_up_and_the_lane_goes_on(site):
    site.write(
        "route.lua",
        "-- gateway: timeout=0.2\nfunction OnStoredInstance(id, tags, metadata)\n"
        f"  if metadata.Bad then {block(site)} end\nend",
    )
    site.start()

    parked = site.queue.until_parked("route.lua", site.queue.add(make_event(1, Bad="yes")))
    site.queue.until_settled("route.lua", site.queue.add(make_event(2)))

    assert parked.error_kind == "script-timeout"
    assert "inside one call of a C function" in parked.error
    assert site.count("gateway_errors_total", kind="script-timeout") >= 1
    with capture_logs() as logs:
        release(site)
        site.queue.until(lambda: any("came back" in log["event"] for log in logs))
    assert ("route.lua", 1) not in site.queue.settled


def test_a_script_whose_threads_keep_getting_stuck_is_stopped_and_its_events_wait(site):
    site.write(
        "route.lua",
        "-- gateway: timeout=0.1, concurrency=5\nfunction OnStoredInstance(id, tags, metadata)\n"
        f"  if metadata.Bad then {block(site)} end\nend",
    )
    site.start()
    for number in range(5):
        site.queue.add(make_event(number, Bad="yes"))

    fault = site.until_fault("route.lua")
    site.queue.until(lambda: len(site.queue.parked) == 5)
    site.queue.until(lambda: worker_threads("route.lua") == 5, "only stuck workers are left")
    waiting = site.queue.add(make_event(9))

    assert fault.startswith("stopped: 5 of its threads hang in C functions")
    assert ("route.lua", 9) not in site.queue.settled
    site.write("route.lua", FORWARD)
    site.queue.until_settled("route.lua", waiting)
    release(site)


def worker_threads(lane: str) -> int:
    return sum(thread.name == f"script {lane}" for thread in threading.enumerate())


def block(site) -> str:
    """Lua that waits in one C call until release(): it opens a FIFO that nobody writes to."""
    fifo = site.folder.parent / "fifo"
    os.mkfifo(fifo)
    return f"io.open('{fifo}'):close()"


def release(site) -> None:
    (site.folder.parent / "fifo").open("w").close()


def parked_without_tags(site, problem: Exception) -> ParkedEvent:
    """What becomes of an event whose tags cannot be read because of `problem`."""

    def fail(version):
        raise problem

    site.write("route.lua", FORWARD)
    site.start()
    site.tags.of = fail
    return site.queue.until_parked("route.lua", site.queue.add(make_event()))


def test_tags_that_cannot_be_read_park_the_event(site):
    parked = parked_without_tags(site, NotFound("no such instance"))

    assert (parked.error_kind, parked.error) == ("not-found", "no such instance")


def test_a_fault_of_our_own_parks_the_event_without_telling_values(site):
    parked = parked_without_tags(site, KeyError("Doe^Jane"))

    assert parked.error == "internal error KeyError, see the log"


def test_a_destination_that_vanished_meanwhile_parks_the_event(site):
    site.write("route.lua", FORWARD)
    site.queue.unknown_destinations.add("archive")
    site.start()

    parked = site.queue.until_parked("route.lua", site.queue.add(make_event()))

    assert parked.error_kind == "unknown-destination"


def test_a_queue_in_trouble_is_asked_again_and_the_event_is_handled_once(site):
    site.write("route.lua", FORWARD)
    site.queue.failures = [OSError("disk"), OSError("disk")]
    site.start()

    assert site.queue.until_settled("route.lua", site.queue.add(make_event()))
    assert site.count("gateway_errors_total", kind="event-queue") == 2


def test_stopping_waits_for_the_callback_in_hand(site, tmp_path):
    site.write("route.lua", f"function OnStoredInstance() {wait_for(tmp_path)} end")
    site.start()
    event = site.queue.add(make_event())
    site.queue.until(lambda: (tmp_path / "begun").exists())

    stopping = threading.Thread(target=site.stop)
    stopping.start()
    (tmp_path / "go").touch()
    stopping.join(10)

    assert ("route.lua", event.event_id) in site.queue.settled


def test_stopping_gives_back_an_event_whose_callback_does_not_end(site, tmp_path):
    site.write(
        "route.lua", f"-- gateway: timeout=60\nfunction OnStoredInstance() {wait_for(tmp_path)} end"
    )
    site.start()
    site.queue.add(make_event())
    site.queue.until(lambda: (tmp_path / "begun").exists())

    site.stop(timeout_s=0.1)

    assert (site.queue.settled, site.queue.parked) == ({}, {})
    assert site.queue.open == {"route.lua"}


def wait_for(folder) -> str:
    return f"os.execute('touch {folder}/begun; until test -e {folder}/go; do sleep 0.02; done')"


def test_finalize_is_called_when_the_gateway_stops(site, tmp_path):
    site.write("route.lua", f"function Finalize() io.open('{tmp_path}/end', 'w'):close() end")
    site.start()
    site.until_runs("route.lua")

    site.stop()

    assert (tmp_path / "end").exists()


def test_an_error_in_finalize_is_logged_and_counted(site):
    site.write("route.lua", "function Finalize() error('no') end")
    with capture_logs() as logs:
        site.start()
        site.until_runs("route.lua")
        site.stop()

    (entry,) = [log for log in logs if log["event"] == "callback failed"]
    assert (entry["callback"], entry["reason"]) == ("Finalize", "route.lua:1: no")


def test_no_log_line_holds_a_patients_name_unless_the_script_prints_it(site):
    site.write("route.lua", "function OnStoredInstance(id, tags) Delete(id) end")
    with capture_logs() as logs:
        site.start()
        site.queue.until_settled("route.lua", site.queue.add(make_event()))
        site.stop()

    assert "Doe" not in str(logs)
    assert [log["event"] for log in logs] == ["script loaded", "event handled"]
