"""What lanes are told beyond instances: stable studies, jobs, heartbeats; and the legacy set."""

from dataclasses import replace

import pytest
from scripting_support import INSTANCE_ID, load, make_event
from structlog.testing import capture_logs

from gateway.model import Action, Event, EventKind, Origin, OriginKind
from gateway.scripting.callbacks import CALLBACKS, Context


def says(logs: list[dict[str, object]]) -> list[object]:
    return [entry["says"] for entry in logs if entry["event"] == "script says"]


@pytest.mark.parametrize("callback", [kind.value for kind in EventKind][1:])
def test_each_event_calls_the_callback_of_its_name(site, callback):
    site.write("all.lua", f"function {callback}(id) print('{callback}', id) end")
    with capture_logs() as logs:
        site.start()
        event = site.queue.add(Event(1, EventKind(callback), "0a-1b"))
        site.queue.until_settled("all.lua", event)
    assert says(logs) == [f"{callback}, 0a-1b"]


def test_every_event_is_in_the_table_of_callbacks():
    named = {callback.name for callback in CALLBACKS if callback.context is Context.EVENT}
    assert {kind.value for kind in EventKind} | {"OnHeartBeat"} == named


def test_a_stable_study_comes_with_tags_metadata_and_origin(site):
    site.write(
        "study.lua",
        "function OnStableStudy(id, tags, metadata, origin)\n"
        "  print(id, tags.Modality, metadata.LastUpdate, origin.RemoteAet)\nend",
    )
    with capture_logs() as logs:
        site.start()
        event = site.queue.add(Event(1, EventKind.STABLE_STUDY, "0a-1b"))
        site.queue.until_settled("study.lua", event)
    assert says(logs) == ["0a-1b, CT, 20260101T000000, CT"]


def test_metadata_has_the_names_that_the_site_gave_to_its_numbers(site):
    site.known = replace(site.known, metadata_names={"1024": "checked-by"})
    site.write(
        "named.lua",
        "function OnStoredInstance(id, tags, metadata)\n"
        "  print(metadata['checked-by'], metadata['1024'], metadata['1025'])\nend",
    )
    with capture_logs() as logs:
        site.start()
        event = site.queue.add(make_event(1, **{"1024": "Jane", "1025": "x"}))
        site.queue.until_settled("named.lua", event)
    assert says(logs) == ["Jane, nil, x"]


def test_a_study_that_was_deleted_meanwhile_is_not_told(site):
    site.tags.of_resource = lambda resource_id: None
    site.write("study.lua", "function OnStableStudy(id) error('called') end")
    site.start()
    event = site.queue.add(Event(1, EventKind.STABLE_STUDY, "0a-1b"))
    assert site.queue.until_settled("study.lua", event) == ()


def test_an_event_that_fails_is_parked_under_the_name_of_its_callback(site):
    site.write("job.lua", "function OnJobFailure(id) error('no') end")
    site.start()
    parked = site.queue.until_parked(
        "job.lua", site.queue.add(Event(1, EventKind.JOB_FAILURE, "j"))
    )
    assert (parked.kind, parked.subject) == (EventKind.JOB_FAILURE, "j")


def test_the_heart_beats_also_while_events_wait(site):
    """Here the script is never idle: each event takes longer than the period."""
    site.write(
        "beat.lua",
        "function OnHeartBeat() print('beat') end\n"
        "function OnStoredInstance() os.execute('sleep 0.05') end",
    )
    with capture_logs() as logs:
        site.start(heartbeat_s=0.1)
        for number in range(20):
            event = site.queue.add(make_event(number))
        site.queue.until_settled("beat.lua", event)
    assert len(says(logs)) >= 3


def test_a_heartbeat_may_plan(site):
    site.write("beat.lua", f"function OnHeartBeat() Forward('{INSTANCE_ID}', 'archive') end")
    site.start(heartbeat_s=0.05)
    site.queue.until(lambda: len(site.queue.beats) > 1, "two beats")
    lane, steps = site.queue.beats[0]
    assert (lane, [step.action for step in steps]) == ("beat.lua", [Action.FORWARD])


def test_a_heartbeat_that_fails_is_logged_and_the_next_one_comes(site):
    site.write("beat.lua", "function OnHeartBeat() error('no') end")
    site.start(heartbeat_s=0.05)
    site.queue.until(lambda: site.count("gateway_errors_total", kind="script-error") >= 2, "errors")
    assert site.queue.parked == {}


def test_without_a_period_no_heart_beats(site):
    site.write("beat.lua", "function OnHeartBeat() error('called') end")
    site.start()
    site.queue.until_settled("beat.lua", site.queue.add(make_event()))
    assert site.count("gateway_errors_total", kind="script-error") == 0


# --- the legacy set -------------------------------------------------------------------------------


@pytest.fixture
def legacy(site, tmp_path):
    """`legacy(name=source, ...)`: start with these files as the legacy set."""

    def start(**sources: str) -> None:
        paths = []
        for name, source in sources.items():
            path = tmp_path / f"{name}.lua"
            path.write_text(source)
            paths.append(path)
        site.start(legacy=paths)

    return start


def test_the_files_share_their_globals_and_the_last_definition_counts(site, legacy):
    with capture_logs() as logs:
        legacy(
            first="shared = 'from the first'\nlocal mine = 1\n"
            "function OnStoredInstance() print('first') end",
            second="function OnStoredInstance(id) print('second', shared, mine) end",
        )
        site.queue.until_settled("LuaScripts", site.queue.add(make_event()))
    assert says(logs) == ["second, from the first, nil"]


def test_the_legacy_set_runs_beside_the_scripts_of_the_folder(site, legacy):
    site.write("route.lua", "function OnStoredInstance(id) Forward(id, 'archive') end")
    legacy(only="function OnStoredInstance(id) Forward(id, 'pacs') end")
    event = site.queue.add(make_event())
    assert [s.destination for s in site.queue.until_settled("LuaScripts", event)] == ["pacs"]
    assert [s.destination for s in site.queue.until_settled("route.lua", event)] == ["archive"]


def test_callbacks_of_the_legacy_set_never_overlap_whatever_the_configuration_says(site, tmp_path):
    path = tmp_path / "only.lua"
    path.write_text("n = 0\nfunction OnStoredInstance() n = n + 1 print(n) end")
    with capture_logs() as logs:
        site.start(legacy=[path], concurrency=4)
        events = [site.queue.add(make_event(number)) for number in range(8)]
        for event in events:
            site.queue.until_settled("LuaScripts", event)
    assert says(logs) == [str(number) for number in range(1, 9)]


def test_an_error_names_the_file_of_the_set_and_its_line(site, legacy):
    legacy(good="x = 1", bad="\nfunction OnStoredInstance() error('no') end")
    parked = site.queue.until_parked("LuaScripts", site.queue.add(make_event()))
    assert parked.error == "bad.lua:2: no"


def test_a_file_of_the_set_that_is_changed_is_live_soon(quick_rescans, site, legacy, tmp_path):
    legacy(only="function OnStoredInstance(id) Forward(id, 'pacs') end")
    before = site.until_runs("LuaScripts")
    (tmp_path / "only.lua").write_text("function OnStoredInstance(id) Forward(id, 'archive') end")
    site.until_runs("LuaScripts", other_than=before)
    steps = site.queue.until_settled("LuaScripts", site.queue.add(make_event()))
    assert [step.destination for step in steps] == ["archive"]


def test_a_file_of_the_set_that_is_missing_is_told_and_events_wait(quick_rescans, site, tmp_path):
    site.start(legacy=[tmp_path / "none.lua"])
    site.queue.until(lambda: site.queue.statuses.get("LuaScripts", {}).get("fault"), "a fault")
    assert "none.lua" in site.queue.statuses["LuaScripts"]["fault"]
    event = site.queue.add(make_event())
    (tmp_path / "none.lua").write_text("function OnStoredInstance() end")
    assert site.queue.until_settled("LuaScripts", event) == ()


def test_what_a_script_makes_is_one_generation_further():
    loaded = load("function OnStoredInstance() end\nfunction OnHeartBeat() end")
    generations = []
    call = loaded._runtime.call

    def noting(*arguments: object, **options: float) -> None:
        generations.append(loaded.origin.generation)
        call(*arguments, **options)

    loaded._runtime.call = noting
    try:
        for generation in (0, 3):
            loaded.handle("OnStoredInstance", cause=Origin(OriginKind.LUA, generation=generation))
        loaded.handle("OnHeartBeat")
    finally:
        loaded.close()
    assert generations == [1, 4, 1]
