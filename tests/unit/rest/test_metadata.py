"""Metadata over REST: what the gateway notes, and what clients note."""

import hashlib

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from rest_support import GatewayApi, file_bytes

from gateway.config.models import Configuration, Rest, Store
from gateway.model import Origin, OriginKind

REST = Origin(OriginKind.REST, remote_ip="10.0.0.9", username="alice")
LUA = Origin(OriginKind.LUA)


@pytest.fixture
def study(gateway_api, made_ct):
    gateway_api.store(made_ct(1))
    return f"/studies/{gateway_api.get_json('/studies')[0]}"


@pytest.fixture
def careful_api(tmp_path, lazy_codecs):
    """One that checks revisions and has a name for a number."""
    settings = Configuration(
        store=Store(folder=tmp_path / "careful" / "data"),
        rest=Rest(check_revisions=True, metadata={"checked-by": 1024}),
    )
    (tmp_path / "careful").mkdir()
    api = GatewayApi(tmp_path / "careful", lazy_codecs, settings)
    yield api
    api.close()


def etag(revision: int, value: str) -> str:
    return f'"{revision}-{hashlib.md5(value.encode()).hexdigest()}"'


def changes(api) -> list[str]:
    return [each["ChangeType"] for each in api.get_json("/changes?since=4")["Changes"]]


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (
            Origin(OriginKind.DICOM, "SCU", "GATEWAY", "10.0.0.7"),
            {"Origin": "DicomProtocol", "RemoteAET": "SCU", "RemoteIP": "10.0.0.7",
             "CalledAET": "GATEWAY"},
        ),
        (
            REST,
            {"Origin": "RestApi", "RemoteAET": "", "RemoteIP": "10.0.0.9", "HttpUsername": "alice"},
        ),
        (LUA, {"Origin": "Lua", "RemoteAET": ""}),
    ],
)  # fmt: skip
def test_an_instance_tells_how_it_came(gateway_api, made_ct, origin, expected):
    instance_id = gateway_api.store(made_ct(3), origin)
    told = gateway_api.get_json(f"/instances/{instance_id}/metadata?expand")
    assert len(told.pop("ReceptionDate")) == len("20200101T120000")
    offset = int(told.pop("PixelDataOffset"))
    assert told == expected | {
        "IndexInSeries": "3",
        "TransferSyntax": "1.2.840.10008.1.2.1",
        "SopClassUid": "1.2.840.10008.5.1.4.1.1.2",
    }
    assert gateway_api.file_of(instance_id).read_bytes()[offset:][:4] == b"\xe0\x7f\x10\x00"


def test_names_come_in_the_order_of_their_numbers(gateway_api, made_ct):
    instance_id = gateway_api.store(made_ct(1))
    names = gateway_api.get_json(f"/instances/{instance_id}/metadata")
    assert names == [
        "IndexInSeries", "ReceptionDate", "RemoteAET", "Origin", "TransferSyntax", "SopClassUid",
        "RemoteIP", "CalledAET", "PixelDataOffset",
    ]  # fmt: skip
    numbers = gateway_api.get_json(f"/instances/{instance_id}/metadata?numeric")
    assert numbers == [1, 2, 3, 8, 9, 10, 11, 12, 14]
    expanded = gateway_api.get_json(f"/instances/{instance_id}/metadata?numeric&expand")
    assert expanded["3"] == "MODALITY"


@pytest.mark.parametrize("attributes", [{"PixelData": None}, {"InstanceNumber": None}])
def test_what_does_not_follow_from_a_file_is_not_told(gateway_api, made_ct, attributes):
    instance_id = gateway_api.store(made_ct(1, **attributes))
    names = gateway_api.get_json(f"/instances/{instance_id}/metadata")
    assert len(names) == 8


def test_a_deflated_file_has_no_place_for_its_pixels(gateway_api, made_ct, tmp_path):
    path = tmp_path / "deflated.dcm"
    path.write_bytes(file_bytes(made_ct(1), DeflatedExplicitVRLittleEndian))
    instance_id = gateway_api.store(path)
    assert "PixelDataOffset" not in gateway_api.get_json(f"/instances/{instance_id}/metadata")


def test_parents_tell_when_something_came_below_them(gateway_api, made_ct):
    gateway_api.store(made_ct(1, NumberOfSlices=4, NumberOfTimeSlices=3))
    for level in ("patients", "studies", "series"):
        (resource,) = gateway_api.get_json(f"/{level}?expand")
        told = gateway_api.get_json(f"/{level}/{resource['ID']}/metadata?expand")
        assert told.pop("LastUpdate") == resource["LastUpdate"]
        expected = {"RemoteAET": "MODALITY", "ExpectedNumberOfInstances": "12"}
        assert told == (expected if level == "series" else {})


def test_a_note_is_written_read_replaced_and_deleted(gateway_api, study):
    uri = f"{study}/metadata/1024"
    assert gateway_api.get(uri).status_code == 404
    written = gateway_api.put(uri, "höher")
    assert (written.status_code, written.get_data()) == (200, b"")
    assert written.headers["ETag"] == etag(0, "höher")
    assert gateway_api.get(uri).get_data().decode() == "höher"
    assert gateway_api.put(uri, "").headers["ETag"] == etag(1, "")
    assert gateway_api.get(uri).get_data() == b""
    assert gateway_api.get_json(f"{study}/metadata")[-1] == "1024"
    assert gateway_api.delete(uri).status_code == 200
    assert gateway_api.get(uri).status_code == 404
    assert gateway_api.delete(uri).status_code == 404
    assert changes(gateway_api) == ["UpdatedMetadata"] * 3


def test_a_client_that_has_a_note_already_is_not_sent_it_again(gateway_api, study):
    tag = gateway_api.put(f"{study}/metadata/1024", "x").headers["ETag"]
    response = gateway_api.get(f"{study}/metadata/1024", **{"If-None-Match": tag})
    assert (response.status_code, response.get_data()) == (304, b"")
    gateway_api.put(f"{study}/metadata/1024", "y")
    assert gateway_api.get(f"{study}/metadata/1024", **{"If-None-Match": tag}).status_code == 200


def test_a_note_does_not_change_when_something_came_last(gateway_api, study):
    before = gateway_api.get_json(study)
    gateway_api.put(f"{study}/metadata/1024", "x")
    assert gateway_api.get_json(study) == before


@pytest.mark.parametrize("name", ["LastUpdate", "ModifiedFrom", "1", "1023", "65536", "9" * 30])
def test_clients_do_not_write_what_the_gateway_notes(gateway_api, study, name):
    assert gateway_api.put(f"{study}/metadata/{name}", "x").status_code == 403
    assert gateway_api.delete(f"{study}/metadata/{name}").status_code == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("uri", ["{study}/metadata/nonsense", "/studies/nobody/metadata/1024"])
def test_what_is_not_known_is_not_found(gateway_api, study, method, uri):
    response = gateway_api.call(method, uri.format(study=study), b"x")
    assert response.status_code == 404


def test_an_id_of_another_level_is_not_known(gateway_api, study):
    response = gateway_api.get(study.replace("studies", "series") + "/metadata")
    assert (response.status_code, response.json["OrthancStatus"]) == (404, 17)


def test_a_note_that_is_no_text_is_refused(gateway_api, study):
    assert gateway_api.call("PUT", f"{study}/metadata/1024", b"\xff\x00").status_code == 400


def test_notes_go_with_their_resource(gateway_api, study, made_ct):
    gateway_api.put(f"{study}/metadata/1024", "x")
    gateway_api.delete(study)
    gateway_api.store(made_ct(1))
    assert gateway_api.get_json(f"{study}/metadata") == ["LastUpdate"]


def test_a_named_note_is_found_by_name_and_by_number(careful_api, made_ct):
    careful_api.store(made_ct(1))
    study = f"/studies/{careful_api.get_json('/studies')[0]}"
    careful_api.put(f"{study}/metadata/checked-by", "bob")
    assert careful_api.get(f"{study}/metadata/1024").get_data() == b"bob"
    assert careful_api.get_json(f"{study}/metadata") == ["LastUpdate", "checked-by"]


def test_only_who_has_seen_a_revision_replaces_or_deletes_it(careful_api, made_ct):
    careful_api.store(made_ct(1))
    uri = f"/studies/{careful_api.get_json('/studies')[0]}/metadata/1024"
    seen = careful_api.put(uri, "a").headers["ETag"]
    assert careful_api.put(uri, "b").status_code == 409
    assert careful_api.delete(uri).json["OrthancStatus"] == 43
    newer = careful_api.put(uri, "b", **{"If-Match": seen}).headers["ETag"]
    assert newer == etag(1, "b")
    for old in (seen, etag(1, "a"), etag(0, "b"), '"1-x"'):
        assert careful_api.put(uri, "c", **{"If-Match": old}).status_code == 409
        assert careful_api.delete(uri, **{"If-Match": old}).status_code == 409
    for nonsense in ("7", "foo", '"7"', ""):
        assert careful_api.delete(uri, **{"If-Match": nonsense}).status_code == 400
    assert careful_api.get(uri).get_data() == b"b"
    assert careful_api.delete(uri, **{"If-Match": newer}).status_code == 200
