"""Orthanc's planning functions, as called from Lua: what they plan, and what they say is wrong."""

import pytest
from scripting_support import INSTANCE_ID, load, make_event, on_stored_instance, said, steps_of

from gateway.errors import ScriptError
from gateway.model import Action

REPLACED = "{PatientName = 'X'}"


def asked(body: str) -> dict[str, object]:
    """What ModifyInstance keeps of its arguments."""
    (step,) = steps_of(f"ModifyInstance(instanceId, {body})")
    assert step.action is Action.MODIFY
    return {name: step.parameters[name] for name in ("replace", "remove", "remove_private")}


def error_of(body: str, **settings: object) -> str:
    with pytest.raises(ScriptError) as raised:
        steps_of(body, **settings)
    return str(raised.value)


@pytest.mark.parametrize(
    ("written", "replace"),
    [
        ("nil", {}),
        ("{}", {}),
        (REPLACED, {"PatientName": "X"}),
        ("{['0010-0010'] = 'a\"b\\\\c\\n'}", {"0010-0010": 'a"b\\c\n'}),
        ("{InstanceNumber = 5, PatientWeight = 70.5}",
         {"InstanceNumber": "5", "PatientWeight": "70.5"}),
        ("{PatientName = '0012', PatientComments = 'M\u00fcller'}",
         {"PatientName": "0012", "PatientComments": "M\u00fcller"}),
        ("{ReferencedStudySequence = {}}", {"ReferencedStudySequence": []}),
        ("{ReferencedStudySequence = {{ReferencedSOPInstanceUID = '1.2'}}}",
         {"ReferencedStudySequence": [{"ReferencedSOPInstanceUID": "1.2"}]}),
    ],
)  # fmt: skip
def test_tables_of_tags_arrive_as_they_were_written(written, replace):
    assert asked(written) == {"replace": replace, "remove": [], "remove_private": False}


def test_all_arguments_of_a_modification_are_kept():
    assert asked(f"{REPLACED}, {{'StudyDate', '0008,0050'}}, true") == {
        "replace": {"PatientName": "X"}, "remove": ["StudyDate", "0008,0050"],
        "remove_private": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("ModifyInstance(nil, {})", "expected an instance id"),
        ("ModifyInstance(instanceId, 'x')", "what to replace must be a table, not a string"),
        ("ModifyInstance(instanceId, {'x'})", "with the names of tags as its keys"),
        ("ModifyInstance(instanceId, {Nonsense = 'x'})", "unknown DICOM tag: 'Nonsense'"),
        ("ModifyInstance(instanceId, {PatientName = true})", "Bad Parameter type"),
        ("ModifyInstance(instanceId, {PatientName = {'a'}})", "Bad Parameter type"),
        ("ModifyInstance(instanceId, {PatientName = print})", "must not hold a function"),
        ("ModifyInstance(instanceId, {PatientName = 'a\\255'})", "has to be UTF-8"),
        ("ModifyInstance(instanceId, {PatientID = 'x'})", '"PatientID" as to be replaced requires'),
        ("ModifyInstance(instanceId, {SOPInstanceUID = '1'})", 'requires the "Force" option'),
        ("ModifyInstance(instanceId, {}, {'StudyInstanceUID'})", "as to be removed requires"),
        ("ModifyInstance(instanceId, {}, 'StudyDate')", "what to remove must be a table"),
        ("ModifyInstance(instanceId, {}, {StudyDate = 'x'})", "a list of the names of tags"),
        ("ModifyInstance(instanceId, {}, {'Nonsense'})", "unknown DICOM tag"),
        ("ModifyInstance(instanceId, {}, {'a', b = 'c'})", "only one kind can be meant"),
        ("ModifyInstance(instanceId, {}, {}, 'yes')", "removePrivateTags must be a boolean"),
        ("local t = {} t.PatientName = t ModifyInstance(instanceId, t)", "nested too deeply"),
        ("SendToPeer(instanceId)", "expected the name of a peer, got nil"),
        ("SendToPeer(instanceId, 'nobody')", "no peer is called 'nobody'; known are none"),
        ("CallSystem(instanceId)", "expected a command, got nil"),
        ("CallSystem(instanceId, '')", "a command must not be empty"),
        ("CallSystem(instanceId, 'a', 'b')", "the arguments must be a table, not a string"),
        ("CallSystem(instanceId, 'a', {b = 'c'})", "the arguments are a list of strings"),
        ("CallSystem(instanceId, 'a', {'b\\0'})", "no word of it may hold a NUL"),
        ("CallSystem(instanceId, 'a', {true})", "the arguments are a list of strings"),
        ("Delete(instanceId) SendToModality('', 'archive')", "is a Delete, which has none"),
        ("SendToModality('', 'archive')", "that does not exist"),
    ],
)
def test_a_wrong_call_is_an_error_at_its_line(call, message):
    error = error_of(f"\n{call}")
    assert error.startswith("test.lua:2: ")
    assert message in error


def test_a_command_and_its_arguments_are_kept_as_text():
    (step,) = steps_of("CallSystem(instanceId, 'tool', {'a b', 5, 2.5})")
    assert (step.action, step.parameters) == (
        Action.CALL, {"command": "tool", "arguments": ["a b", "5", "2.5"]},
    )  # fmt: skip


def test_sandboxed_scripts_run_no_commands():
    error = error_of("CallSystem(instanceId, 'true', {})", profile="sandboxed")
    assert "closed to scripts of the profile sandboxed" in error


def test_sandboxed_scripts_may_modify():
    (step,) = steps_of(f"ModifyInstance(instanceId, {REPLACED})", profile="sandboxed")
    assert step.action is Action.MODIFY


def test_the_empty_string_is_the_result_of_the_step_before():
    _modify, sent, gone = steps_of(
        f"ModifyInstance(instanceId, {REPLACED}) SendToModality('', 'archive') Delete('')"
    )
    assert (sent.subject, sent.result_of) == ("", 1)
    assert (gone.subject, gone.result_of) == ("", 1)


def test_the_result_of_a_step_that_makes_nothing_is_what_it_works_on():
    _sent, gone = steps_of("SendToModality(instanceId, 'archive') Delete('')")
    assert (gone.subject, gone.result_of) == (INSTANCE_ID, None)


def test_two_modifications_have_two_results():
    _first, _second, sent = steps_of(
        f"local first = ModifyInstance(instanceId, {REPLACED})"
        f" local second = ModifyInstance(instanceId, {REPLACED})"
        " assert(first ~= second) SendToModality(first, 'archive')"
    )
    assert sent.result_of == 1


def test_a_result_is_a_string_that_says_what_it_is():
    assert said(f"print(ModifyInstance(instanceId, {REPLACED}))") == [f"{INSTANCE_ID} modified #1"]


def test_what_a_script_makes_is_one_generation_further():
    loaded = load(f"function OnStoredInstance(id) ModifyInstance(id, {REPLACED}) end")
    (step,) = on_stored_instance(loaded, make_event(), {})
    loaded.close()
    assert step.parameters["generation"] == make_event().origin.generation + 1


def test_each_call_makes_uids_of_its_own():
    first, second = steps_of(
        f"ModifyInstance(instanceId, {REPLACED}) ModifyInstance(instanceId, {REPLACED})"
    )
    assert first.parameters["salt"] != second.parameters["salt"]
