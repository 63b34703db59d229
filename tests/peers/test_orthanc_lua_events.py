"""Callbacks for what happens: the same scripts hear the same in Orthanc and in the gateway."""

import json
from collections.abc import Iterator
from io import BytesIO

import pytest
from dimse_support import associated
from images import made_ct
from lua_pair import Scripted, ScriptedPair, scripted_pair
from orthanc_peer import ORTHANC, Request
from pydicom import dcmread
from rest_support import file_bytes
from scu import c_store

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

# Two files that say when they are loaded, and when the server begins.
FIRST = """
n = 1
local hidden = 2
function Initialize() print('begun first') end
print('loading', n)
"""
SECOND = """
print('loading', n, hidden)
function Initialize() print('begun', n) end
"""
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
    function ReceivedCStoreInstanceFilter(dicom, origin, info)
      print('asked', dicom.PatientID, origin.RemoteAet, info.HasPixelData, info.TransferSyntaxUID)
      return dicom.PatientID == 'refused' and 0xA700 or 0
    end
    function ReceivedInstanceFilter(dicom) return dicom.PatientID ~= 'discarded' end
    function Finalize() print('good-bye', #ParseJson(RestApiGet('/instances'))) end
    """
    )
    modalities = {"nobody": ["NOBODY", "127.0.0.1", 1]}
    folder = tmp_path_factory.mktemp("events")
    with scripted_pair(
        folder, [FIRST, SECOND, script], DicomModalities=modalities, UserMetadata={"mine": 1024},
        StableAge=1,
    ) as running:  # fmt: skip
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


def test_one_file_after_the_other_runs_in_one_state(pair):
    """The files are loaded twice: receive filters have a state of their own, in both."""
    for each in pair:
        lines = each.until_says("begun")
        said = [line for line in lines if line.startswith(("loading", "begun"))]
        assert list(dict.fromkeys(said)) == ["loading, 1", "loading, 1, nil", "begun, 1"]
        assert said.count("begun, 1") == 1


def test_c_stores_are_filtered_by_status(pair):
    """Orthanc 1.10.1 takes 0 for false, and answers success to whatever the filter says."""
    answers = []
    for each in pair:
        with associated(each.server.dicom_port, called_aet="SCRIPTED") as association:
            images = [
                dcmread(BytesIO(file_bytes(made_ct(number, PatientID=patient))))
                for number, patient in enumerate(("kept", "refused", "discarded"), start=1)
            ]
            answers.append([c_store(association, image) for image in images])
    theirs, ours = (said(each, "asked", 2) for each in pair)

    assert answers == [[0, 0, 0], [0, 0xA700, 0]]
    assert theirs[:2] == ours


def test_a_server_that_stops_says_good_bye(pair):
    """Last in this file: they are gone."""
    for each in pair:
        kept = len(ask(each, "GET", "/instances"))
        each.stop()
        assert said(each, "good-bye") == [f"good-bye, {kept}"]
