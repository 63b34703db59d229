"""Modalities: putting, showing, asking and sending over DICOM."""

import json
import socket
from io import BytesIO

import pytest
from dimse_support import CT, EXPLICIT, IMPLICIT, J2K, VERIFICATION, storage_scp
from images import made_ct
from pynetdicom import AllStoragePresentationContexts
from rest_support import GatewayApi, file_bytes
from structlog.testing import capture_logs

from gateway.config.models import Configuration

BAD_FILE, BAD_TYPE, OUT_OF_RANGE, INEXISTENT, NETWORK, UNKNOWN = 15, 5, 3, 7, 9, 17
NOBODY = "00000000-00000000-00000000-00000000-00000000"
SHOWN = {
    "AET": "PACS", "AllowEcho": True, "AllowEventReport": True, "AllowFind": True,
    "AllowFindWorklist": True, "AllowGet": True, "AllowMove": True, "AllowNAction": True,
    "AllowStore": True, "AllowTranscoding": True, "Host": "127.0.0.1", "LocalAet": "",
    "Manufacturer": "Generic", "Port": 104, "Timeout": 0, "UseDicomTls": False,
}  # fmt: skip


@pytest.fixture
def api(tmp_path, lazy_codecs):
    """A gateway whose configuration names the destination "archive"."""
    settings = Configuration.model_validate(
        {
            "store": {"folder": tmp_path / "data"},
            "destinations": {"archive": {"aet": "ARCHIVE", "host": "10.0.0.1", "port": 11112}},
        }
    )
    gateway = GatewayApi(tmp_path, lazy_codecs, settings)
    yield gateway
    gateway.close()


@pytest.fixture
def unused_port():
    """A port of this machine on which nobody listens."""
    with socket.socket() as taken:  # bound, not listening: it stays ours, and refuses
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent_port():
    """A port on which connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def put(api: GatewayApi, name: str, what: object):
    return api.put(f"/modalities/{name}", json.dumps(what))


def shown(api: GatewayApi, name: str) -> dict:
    return api.get_json(f"/modalities/{name}/configuration")


def fault(response) -> tuple[int, int]:
    return response.status_code, response.json["OrthancStatus"]


# --- the list of them ----------------------------------------------------------------------------


def test_what_is_put_is_listed_and_shown_in_full(api):
    response = put(api, "pacs", ["PACS", "127.0.0.1", 104])
    assert (response.status_code, response.data) == (200, b"")
    assert response.content_type == "text/plain"
    assert api.get_json("/modalities") == ["archive", "pacs"]
    assert shown(api, "pacs") == SHOWN
    assert api.get_json("/modalities?expand")["pacs"] == SHOWN


def test_an_object_may_say_more_than_a_list(api):
    wanted = {
        "AET": "PACS", "Host": "localhost", "Port": "105", "Manufacturer": "GE", "LocalAet": "ME",
        "Timeout": 7, "AllowFind": False, "AllowStorageCommitment": False,
        "AllowTranscoding": False, "Unknown": 1,
    }  # fmt: skip
    put(api, "pacs", wanted)
    assert shown(api, "pacs") == SHOWN | {
        "Host": "localhost", "Port": 105, "Manufacturer": "GE", "LocalAet": "ME", "Timeout": 7,
        "AllowFind": False, "AllowEventReport": False, "AllowNAction": False,
        "AllowTranscoding": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "manufacturer"), [("MedInria", "Generic"), ("SyngoVia", "GenericNoWildcardInDates")]
)
def test_older_names_of_manufacturers_are_understood(api, written, manufacturer):
    put(api, "pacs", ["PACS", "127.0.0.1", 104, written])
    assert shown(api, "pacs")["Manufacturer"] == manufacturer


def test_the_configurations_destinations_are_modalities(api):
    assert shown(api, "archive") == SHOWN | {"AET": "ARCHIVE", "Host": "10.0.0.1", "Port": 11112}


def test_what_was_put_hides_the_configurations_until_it_is_deleted(api):
    put(api, "archive", ["OTHER", "127.0.0.1", 104])
    assert shown(api, "archive")["AET"] == "OTHER"
    assert api.get_json("/modalities") == ["archive"]
    assert api.delete("/modalities/archive").status_code == 200
    assert shown(api, "archive")["AET"] == "ARCHIVE"


def test_what_only_the_configuration_names_cannot_be_deleted(api):
    assert fault(api.delete("/modalities/archive")) == (400, 8)
    assert shown(api, "archive")["AET"] == "ARCHIVE"


def test_what_was_put_outlives_a_restart(tmp_path, lazy_codecs):
    for _ in range(2):
        gateway = GatewayApi(tmp_path, lazy_codecs)
        try:
            if gateway.get_json("/modalities"):
                assert shown(gateway, "pacs") == SHOWN
                return
            put(gateway, "pacs", ["PACS", "127.0.0.1", 104])
        finally:
            gateway.close()
    pytest.fail("the modality is gone")


def test_a_modality_is_replaced_and_deleted(api):
    put(api, "pacs", ["PACS", "127.0.0.1", 104])
    put(api, "pacs", ["PACS", "127.0.0.1", 105])
    assert shown(api, "pacs")["Port"] == 105
    response = api.delete("/modalities/pacs")
    assert (response.status_code, response.data) == (200, b"")
    assert api.get_json("/modalities") == ["archive"]


def test_a_modality_tells_what_can_be_asked_of_it(api):
    operations = api.get_json("/modalities/archive")
    assert operations == sorted(operations)
    assert {"configuration", "echo", "store", "store-straight"} <= set(operations)


def test_an_unknown_modality_is_a_404(api):
    response = api.get("/modalities/nobody")
    assert (response.status_code, response.data) == (404, b"")
    for method, path in (
        ("GET", "configuration"), ("POST", "echo"), ("POST", "store-straight"),
    ):  # fmt: skip
        assert fault(api.call(method, f"/modalities/nobody/{path}")) == (404, INEXISTENT)
    assert fault(api.post("/modalities/nobody/store", api.store(made_ct(1)))) == (404, INEXISTENT)
    assert fault(api.delete("/modalities/nobody")) == (404, INEXISTENT)


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ({}, BAD_FILE), ([], BAD_FILE), ("PACS", BAD_FILE), (["PACS"], BAD_FILE),
        (["PACS", "h", 0], OUT_OF_RANGE), (["PACS", "h", 70000], OUT_OF_RANGE),
        (["PACS", "h", "x"], BAD_FILE), (["PACS", "h", 1.5], BAD_FILE),
        (["PACS", "h", True], BAD_FILE), ([1, "h", 104], BAD_FILE),
        (["PACS", "h", 104, "Nobody"], OUT_OF_RANGE), (["PACS", "h", 104, "GE", "x"], BAD_FILE),
        (["AN AE TITLE THAT IS TOO LONG", "h", 104], BAD_FILE), (["", "h", 104], BAD_FILE),
        (["PACS", "", 104], BAD_FILE), (["PACS", "two words", 104], BAD_FILE),
        ({"AET": "PACS", "Host": "h"}, BAD_FILE),
        ({"AET": "PACS", "Host": "h", "Port": 104, "AllowEcho": "x"}, BAD_FILE),
        ({"AET": "PACS", "Host": "h", "Port": 104, "Timeout": -1}, BAD_FILE),
        ({"AET": "PACS", "Host": "h", "Port": 104, "LocalAet": 5}, BAD_FILE),
    ],
)  # fmt: skip
def test_a_modality_that_makes_no_sense_is_refused(api, what, number):
    assert fault(put(api, "pacs", what)) == (400, number)
    assert api.get_json("/modalities") == ["archive"]


def test_a_modality_over_tls_is_refused_rather_than_spoken_to_in_clear(api):
    what = {"AET": "PACS", "Host": "h", "Port": 104, "UseDicomTls": True}
    assert fault(put(api, "pacs", what)) == (501, 2)


@pytest.mark.parametrize("name", ["a;b", "a%20b", "a.b", "%C3%A9"])
def test_a_name_is_of_letters_digits_dashes_and_underscores(api, name):
    assert fault(put(api, name, ["PACS", "127.0.0.1", 104])) == (400, BAD_FILE)


# --- echo ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"Timeout": 5}'])
def test_an_echo_is_answered_with_nothing(api, body):
    with storage_scp() as (port, _):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        response = api.post("/modalities/pacs/echo", body)
    assert (response.status_code, response.json) == (200, {})


def test_anybody_may_be_asked_for_an_echo(api):
    with storage_scp() as (port, _):
        for who in (
            ["ARCHIVE", "127.0.0.1", port],
            {"AET": "ARCHIVE", "Host": "127.0.0.1", "Port": port, "Timeout": 5},
        ):
            assert api.post_json("/tools/dicom-echo", who) == {}


def test_an_echo_may_check_for_queries_too(api):
    find = "1.2.840.10008.5.1.4.1.2.2.1"
    echo = (VERIFICATION, [IMPLICIT])
    for contexts, status in (([echo, (find, [IMPLICIT])], 200), ([echo], 500)):
        with storage_scp(contexts=contexts) as (port, _):
            who = {"AET": "A", "Host": "127.0.0.1", "Port": port, "CheckFind": True}
            assert api.post("/tools/dicom-echo", json.dumps(who)).status_code == status


def test_nobody_there_is_an_error_of_the_network(api, unused_port):
    put(api, "pacs", ["PACS", "127.0.0.1", unused_port])
    assert fault(api.post("/modalities/pacs/echo", "{}")) == (500, NETWORK)


def test_somebody_who_never_answers_is_given_up_after_the_timeout(api, silent_port):
    put(api, "pacs", ["PACS", "127.0.0.1", silent_port])
    assert fault(api.post("/modalities/pacs/echo", '{"Timeout": 1}')) == (500, NETWORK)


@pytest.mark.parametrize("body", ["x", '{"Timeout": "x"}', '{"Timeout": -1}', '{"CheckFind": "x"}'])
def test_a_wrong_body_is_a_bad_request(api, body):
    assert fault(api.post("/modalities/archive/echo", body)) == (400, BAD_FILE)


# --- store ---------------------------------------------------------------------------------------


def study_of(api: GatewayApi, instance_id: str) -> str:
    series = api.services.catalogue.get(instance_id).parent_id
    return api.services.catalogue.get(series).parent_id


@pytest.mark.parametrize("form", ["{}", '"{}"', '["{}"]', '{{"Resources": ["{}"]}}'])
def test_a_bare_id_a_list_and_an_object_are_sent(api, form):
    instance = api.store(made_ct(1))
    with storage_scp() as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        response = api.post("/modalities/pacs/store", form.format(instance))
    assert response.json == {
        "Description": "REST API", "FailedInstancesCount": 0, "InstancesCount": 1,
        "LocalAet": "GATEWAY", "ParentResources": [instance], "RemoteAet": "ARCHIVE",
    }  # fmt: skip
    assert len(received) == 1


def test_resources_of_every_level_are_sent_over_one_association(api):
    instances = [api.store(made_ct(n, SeriesInstanceUID=f"1.2.{n}")) for n in (1, 2, 3)]
    series = api.services.catalogue.get(instances[2]).parent_id
    associations = []
    with storage_scp(status=lambda event: associations.append(event.assoc) or 0) as (port, _):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        answer = api.post_json(
            "/modalities/pacs/store", [study_of(api, instances[0]), series, instances[0]]
        )
    assert answer["InstancesCount"] == len(associations) == 5
    assert len(set(map(id, associations))) == 1


def test_nothing_is_sent_without_resources(api):
    answer = api.post_json("/modalities/archive/store", [])
    assert answer["InstancesCount"] == 0
    assert "ParentResources" not in answer


def test_a_background_job_sends_and_tells_the_same(api):
    instance = api.store(made_ct(1))
    with storage_scp() as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        request = {"Resources": [instance], "Asynchronous": True, "Priority": 4}
        answer = api.post_json("/modalities/pacs/store", request)
    assert answer == {"ID": "job-1", "Path": "/jobs/job-1"}
    job = api.jobs.done["job-1"]
    assert (job.kind, job.priority, len(received)) == ("DicomModalityStore", 4, 1)
    assert job.content["InstancesCount"] == 1


def test_what_was_sent_is_among_the_exports(api):
    instance = api.store(made_ct(1))
    with storage_scp() as (port, _):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        api.post_json("/modalities/pacs/store", [instance])
    with api.services.store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT level, resource_id, remote FROM export").all()
    assert rows == [("Instance", instance, "pacs")]


def test_our_title_and_the_originator_of_a_move_are_said_as_asked(api):
    instance = api.store(made_ct(1))
    seen = []

    def look(event):
        request = event.request
        seen.append(
            (
                event.assoc.requestor.ae_title,
                request.MoveOriginatorApplicationEntityTitle,
                request.MoveOriginatorMessageID,
            )
        )
        return 0

    with storage_scp(status=look) as (port, _):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        answer = api.post_json(
            "/modalities/pacs/store",
            {
                "Resources": [instance], "LocalAet": "ME", "MoveOriginatorAet": "VIEWER",
                "MoveOriginatorID": 5,
            },
        )  # fmt: skip
    assert seen == [("ME", "VIEWER", 5)]
    assert (answer["LocalAet"], answer["MoveOriginatorAET"]) == ("ME", "VIEWER")
    assert answer["MoveOriginatorID"] == 5


def test_the_modalitys_own_title_for_us_is_used(api):
    instance = api.store(made_ct(1))
    with storage_scp() as (port, _):
        put(api, "pacs", {"AET": "A", "Host": "127.0.0.1", "Port": port, "LocalAet": "ME"})
        assert api.post_json("/modalities/pacs/store", [instance])["LocalAet"] == "ME"


def syntaxes_of(received):
    return [context.transfer_syntax for context, _ in received]


def test_what_a_modality_does_not_take_is_transcoded_for_it(api):
    instance = api.store(made_ct(1, rows=16, columns=16))
    with storage_scp(contexts=[(CT, [IMPLICIT])]) as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        api.post_json("/modalities/pacs/store", [instance])
    assert syntaxes_of(received) == [IMPLICIT]
    assert not list((api.settings.store.folder / "incoming").glob("*"))


def test_a_modality_that_wants_no_transcoding_gets_none(api):
    instance = api.store(made_ct(1))
    with storage_scp(contexts=[(CT, [IMPLICIT])]) as (port, received):
        put(
            api,
            "pacs",
            {"AET": "A", "Host": "127.0.0.1", "Port": port, "AllowTranscoding": False},
        )
        assert fault(api.post("/modalities/pacs/store", instance)) == (500, NETWORK)
    assert received == []


@pytest.mark.parametrize(("takes", "sent"), [([EXPLICIT, J2K], J2K), ([EXPLICIT], EXPLICIT)])
def test_images_are_sent_in_the_syntax_that_was_asked_for_if_it_is_taken(api, takes, sent):
    instance = api.store(made_ct(1, rows=16, columns=16))
    with storage_scp(contexts=[(CT, takes)]) as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        api.post_json("/modalities/pacs/store", {"Resources": [instance], "Transcode": J2K})
    assert syntaxes_of(received) == [sent]


def test_the_first_refused_instance_ends_a_job(api):
    instances = [api.store(made_ct(n)) for n in (1, 2)]
    with storage_scp(status=0xA700) as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        response = api.post("/modalities/pacs/store", json.dumps(instances))
    assert fault(response) == (500, NETWORK)
    assert len(received) == 1


def test_a_permissive_job_goes_on_and_counts_what_failed(api):
    instances = [api.store(made_ct(n)) for n in (1, 2, 3)]
    refused = made_ct(2).SOPInstanceUID

    def answer(event):
        return 0xA700 if refused == event.request.AffectedSOPInstanceUID else 0

    with storage_scp(status=answer) as (port, received), capture_logs() as lines:
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        content = api.post_json(
            "/modalities/pacs/store", {"Resources": instances, "Permissive": True}
        )
    assert (content["FailedInstancesCount"], content["InstancesCount"]) == (1, 3)
    assert len(received) == 3
    assert [line["instance"] for line in lines if "instance" in line] == [instances[1]]


def test_a_permissive_job_goes_on_after_a_broken_association(api):
    instances = [api.store(made_ct(n)) for n in (1, 2, 3)]
    broken = made_ct(1).SOPInstanceUID

    def answer(event):
        if broken == event.request.AffectedSOPInstanceUID:
            event.assoc.abort()
        return 0

    with storage_scp(status=answer) as (port, received), capture_logs():
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        content = api.post_json(
            "/modalities/pacs/store", {"Resources": instances, "Permissive": True}
        )
    assert content["FailedInstancesCount"] == 1
    assert len(received) == 3


def test_more_kinds_of_files_than_one_association_can_offer_are_all_sent(api):
    classes = [str(each.abstract_syntax) for each in AllStoragePresentationContexts[:70]]
    instances = [api.store(made_ct(n, SOPClassUID=each)) for n, each in enumerate(classes)]
    study = study_of(api, instances[0])
    contexts = [(each, [EXPLICIT]) for each in classes]
    with storage_scp(contexts=contexts) as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        assert api.post_json("/modalities/pacs/store", [study])["FailedInstancesCount"] == 0
    assert len(received) == 70


def test_nobody_there_fails_the_request_and_the_job(api, unused_port):
    instance = api.store(made_ct(1))
    put(api, "pacs", ["PACS", "127.0.0.1", unused_port])
    assert fault(api.post("/modalities/pacs/store", instance)) == (500, NETWORK)
    api.post_json("/modalities/pacs/store", {"Resources": [instance], "Asynchronous": True})
    job = api.jobs.done["job-2"]
    assert (job.state, job.error_code) == ("Failure", NETWORK)
    assert "PACS" in job.error_details


def test_a_rejected_association_is_an_error_of_the_network(api):
    instance = api.store(made_ct(1))
    with storage_scp(require_called_aet=True) as (port, _):
        put(api, "pacs", ["NOBODY", "127.0.0.1", port])
        response = api.post("/modalities/pacs/store", instance)
    assert fault(response) == (500, NETWORK)
    assert "rejected" in response.json["Details"]


def test_somebody_who_never_answers_is_not_waited_for_longer_than_asked(api, silent_port):
    instance = api.store(made_ct(1))
    put(api, "pacs", ["PACS", "127.0.0.1", silent_port])
    request = {"Resources": [instance], "Timeout": 1}
    assert fault(api.post("/modalities/pacs/store", json.dumps(request))) == (500, NETWORK)


def test_an_id_that_names_nothing_is_a_404_also_when_permissive(api):
    assert fault(api.post("/modalities/archive/store", NOBODY)) == (404, UNKNOWN)
    request = {"Resources": [NOBODY], "Permissive": True, "Asynchronous": True}
    assert fault(api.post("/modalities/archive/store", json.dumps(request))) == (404, UNKNOWN)


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("", BAD_FILE), ("nobody", BAD_FILE), ("{}", BAD_FILE), ("5", BAD_FILE), ("[1]", BAD_FILE),
        ('["nobody"]', BAD_FILE), ("\u00e9".encode("latin_1"), BAD_FILE),
        ({"Resources": NOBODY}, BAD_FILE),
        ({"Resources": [], "Permissive": "x"}, BAD_FILE),
        ({"Resources": [], "Timeout": "x"}, BAD_FILE),
        ({"Resources": [], "Priority": "x"}, BAD_FILE),
        ({"Resources": [], "LocalAet": 5}, BAD_TYPE),
        ({"Resources": [], "LocalAet": "AN AE TITLE THAT IS TOO LONG"}, BAD_FILE),
        ({"Resources": [], "MoveOriginatorID": 70000}, OUT_OF_RANGE),
        ({"Resources": [], "Transcode": "nothing"}, BAD_FILE),
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_refused(api, body, number):
    data = json.dumps(body) if isinstance(body, dict) else body
    assert fault(api.post("/modalities/archive/store", data)) == (400, number)


def test_storage_commitment_is_refused_rather_than_forgotten(api):
    body = '{"Resources": [], "StorageCommitment": true}'
    assert fault(api.post("/modalities/archive/store", body)) == (501, 2)


# --- store-straight ------------------------------------------------------------------------------


def test_a_file_is_sent_straight_without_being_kept(api):
    image = made_ct(1)
    with storage_scp() as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        response = api.post("/modalities/pacs/store-straight", file_bytes(image))
    assert response.json == {"SOPClassUID": CT, "SOPInstanceUID": image.SOPInstanceUID}
    assert len(received) == 1
    assert api.get_json("/modalities")
    assert not list((api.settings.store.folder / "incoming").glob("*"))


def test_a_file_that_is_sent_straight_is_transcoded_if_need_be(api):
    with storage_scp(contexts=[(CT, [IMPLICIT])]) as (port, received):
        put(api, "pacs", ["ARCHIVE", "127.0.0.1", port])
        api.post("/modalities/pacs/store-straight", file_bytes(made_ct(1)))
    assert syntaxes_of(received) == [IMPLICIT]


@pytest.mark.parametrize("body", [b"", b"no DICOM", BytesIO(b"\0" * 200).getvalue()])
def test_what_is_no_dicom_file_is_not_sent_straight(api, body):
    assert fault(api.post("/modalities/archive/store-straight", body)) == (400, BAD_FILE)
    assert not list((api.settings.store.folder / "incoming").glob("*"))


def test_a_file_cannot_be_sent_straight_to_nobody(api, unused_port):
    put(api, "pacs", ["PACS", "127.0.0.1", unused_port])
    response = api.post("/modalities/pacs/store-straight", file_bytes(made_ct(1)))
    assert fault(response) == (500, NETWORK)
