"""Callbacks for what happens: the same scripts hear the same in Orthanc and in the gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from images import made_ct
from lua_pair import Scripted, ScriptedPair, scripted_pair
from orthanc_peer import ORTHANC, Request
from rest_support import file_bytes

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

# Prints each callback with its arguments; keys in order, as pairs() has none.
LISTEN = """
local function shown(value)
  if type(value) ~= 'table' then return tostring(value) end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do parts[#parts + 1] = key .. '=' .. shown(value[key]) end
  return '{' .. table.concat(parts, ' ') .. '}'
end

function say(name, ...)
  local words = { name }
  for index = 1, select('#', ...) do
    words[#words + 1] = shown((select(index, ...)))
  end
  print(table.concat(words, ' '))
end

function job(id)
  return ParseJson(RestApiGet('/jobs/' .. id))
end
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Iterator[ScriptedPair]:
    """Both servers, with a script that prints every event about a resource or a job."""
    # We give more of stable resources, and times differ: both are compared by themselves.
    script = (
        LISTEN
        + """
    local names = { 'OnDeletedInstance', 'OnDeletedSeries', 'OnDeletedStudy', 'OnDeletedPatient',
      'OnUpdatedInstance', 'OnUpdatedSeries', 'OnUpdatedStudy', 'OnUpdatedPatient' }
    for _, name in ipairs(names) do
      _G[name] = function(...) say(name, ...) end
    end
    for _, name in ipairs({ 'OnStableSeries', 'OnStableStudy', 'OnStablePatient' }) do
      _G[name] = function(id, tags, metadata)
        local level = name:sub(9)
        print(name, id, tags.StudyInstanceUID, tags.SeriesInstanceUID, tags.StudyDescription,
          type(metadata.LastUpdate), metadata.RemoteAET)
      end
    end
    function OnStoredInstance(id, tags, metadata, origin)
      metadata.ReceptionDate, metadata.PixelDataOffset = nil, nil
      say('stored', id, tags, metadata, origin)
    end
    function OnJobSubmitted(id) print('OnJobSubmitted', job(id).Type) end
    function OnJobSuccess(id) print('OnJobSuccess', job(id).State) end
    function OnJobFailure(id)
      print('OnJobFailure', job(id).Type, job(id).ErrorCode == 9, job(id).ErrorDescription)
    end
    """
    )
    modalities = {"nobody": ["NOBODY", "127.0.0.1", 1]}
    folder = tmp_path_factory.mktemp("events")
    with scripted_pair(
        folder, [script], DicomModalities=modalities, UserMetadata={"mine": 1024}
    ) as running:
        yield running


def ask(each: Scripted, method: str, path: str, body: object = None) -> object:
    answer = each.server.ask(Request(method, path, json=body))
    assert answer.status_code == 200, (each.server.name, answer.text)
    return answer.json() if answer.content else None


def said(each: Scripted, prefix: str, times: int = 1) -> list[str]:
    """The lines that begin so, once there are this many."""
    return [line for line in each.until_says(prefix, times) if line.startswith(prefix)]


def test_a_stored_instance_comes_with_the_same_tags_metadata_and_origin(pair):
    pair.upload(file_bytes(made_ct(1, StudyDescription="Thorax", PatientName="Doe^Jane")))
    theirs, ours = (said(each, "stored")[0] for each in pair)
    assert ours == theirs


def test_what_becomes_stable_is_told_in_the_same_order(pair):
    pair.upload(file_bytes(made_ct(1, StudyDescription="Thorax", PatientName="Doe^Jane")))
    theirs, ours = (said(each, "OnStable", 3) for each in pair)
    assert ours[:3] == theirs[:3]


@pytest.mark.parametrize("level", ["patients", "studies", "series", "instances"])
def test_metadata_that_somebody_writes_is_told(pair, level):
    pair.upload(file_bytes(made_ct(2)))
    heard = []
    for each in pair:
        before = len([line for line in each.says() if line.startswith("OnUpdated")])
        (found, *_) = reversed(ask(each, "GET", f"/{level}"))
        answer = each.server.ask(
            Request("PUT", f"/{level}/{found}/metadata/mine", content=b"a note")
        )
        assert answer.status_code == 200
        heard.append(said(each, "OnUpdated", before + 1)[before:])
    assert heard[1] == heard[0]


def test_what_is_deleted_is_told_with_all_that_was_above_it(pair):
    """Orthanc tells of the patient before its study; we tell from the instance upwards."""
    pair.upload(file_bytes(made_ct(7, PatientID="gone")))
    heard = []
    for each in pair:
        query = {"Level": "Patient", "Query": {"PatientID": "gone"}}
        (patient,) = ask(each, "POST", "/tools/find", query)
        ask(each, "DELETE", f"/patients/{patient}")
        said(each, f"OnDeletedPatient {patient}")
        said(each, "OnDeletedStudy")
        heard.append(sorted(said(each, "OnDeleted", 4)[-4:]))
    assert heard[1] == heard[0]


def test_jobs_are_told_when_they_begin_and_how_they_end(pair):
    pair.upload(file_bytes(made_ct(1)))
    heard = []
    for each in pair:
        (study, *_) = ask(each, "GET", "/studies")
        ask(each, "POST", f"/studies/{study}/archive", {"Asynchronous": True})
        each.until_says("OnJobSuccess")
        each.server.ask(Request("POST", "/modalities/nobody/store", json={"Resources": [study]}))
        each.until_says("OnJobFailure")
        heard.append([line for line in each.says() if line.startswith("OnJob")])
    assert heard[1] == heard[0], json.dumps(heard, indent=1)


def test_one_file_after_the_other_runs_in_one_state(tmp_path: Path):
    """Orthanc says it twice: it has a second state for its receive filters from the start."""
    first = "n = 1\nlocal hidden = 2\nfunction Initialize() print('first') end\nprint('loading', n)"
    second = "print('loading', n, hidden)\nfunction Initialize() print('begun', n) end"
    with scripted_pair(tmp_path, [first, second]) as pair:
        theirs, ours = (each.until_says("begun") for each in pair)
    assert ours == ["loading, 1", "loading, 1, nil", "begun, 1"]
    assert theirs == ours[:2] * 2 + ours[2:]
