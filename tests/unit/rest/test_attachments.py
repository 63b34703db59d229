"""Attachments over REST: the file of an instance, and what clients attach."""

import hashlib
import zlib

import pytest
from rest_support import GatewayApi

from gateway.config.models import Configuration, Rest, Store, UserAttachment

OPERATIONS = [
    "compress", "compressed-data", "compressed-md5", "compressed-size", "data", "info",
    "is-compressed", "md5", "size", "uncompress", "verify-md5", "uuid",
]  # fmt: skip
REPORT = b"a report, " * 50_000


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def instance(gateway_api, made_ct):
    return f"/instances/{gateway_api.store(made_ct(1))}"


@pytest.fixture
def study(gateway_api, instance):
    return f"/studies/{gateway_api.get_json('/studies')[0]}"


@pytest.fixture
def attached(gateway_api, study):
    """Where a report was attached."""
    assert gateway_api.put(f"{study}/attachments/1024", REPORT).status_code == 200
    return f"{study}/attachments/1024"


def texts(api, uri: str, *operations: str) -> list[str]:
    return [api.get(f"{uri}/{operation}").get_data(as_text=True) for operation in operations]


def test_an_instance_has_its_file(gateway_api, instance):
    content = gateway_api.file_of(instance.rpartition("/")[2]).read_bytes()
    uri = f"{instance}/attachments/dicom"
    assert gateway_api.get_json(f"{instance}/attachments") == ["dicom"]
    assert gateway_api.get_json(f"{instance}/attachments?full") == {"dicom": 1}
    assert gateway_api.get_json(uri) == OPERATIONS
    response = gateway_api.get(f"{uri}/data")
    assert (response.get_data(), response.content_type) == (content, "application/dicom")
    size = str(len(content))
    assert texts(gateway_api, uri, "md5", "compressed-md5") == [md5(content)] * 2
    assert texts(gateway_api, uri, "size", "compressed-size", "is-compressed") == [size, size, "0"]
    assert gateway_api.get(f"{uri}/compressed-data").get_data() == content


def test_the_file_is_called_as_the_instance_says(gateway_api, instance):
    uuid = gateway_api.get_json(instance)["FileUuid"]
    uri = f"{instance}/attachments/1"
    assert gateway_api.get_json(f"{uri}/info")["Uuid"] == uuid
    assert texts(gateway_api, uri, "uuid") == [uuid]
    disposition = gateway_api.get(f"{uri}/data").headers["Content-Disposition"]
    assert disposition == f'filename="{uuid}.dcm"'


def test_the_file_cannot_be_replaced_deleted_or_compressed(gateway_api, instance):
    uri = f"{instance}/attachments/dicom"
    before = gateway_api.get(f"{uri}/data").get_data()
    assert gateway_api.put(uri, b"x").status_code == 403
    assert gateway_api.delete(uri).status_code == 403
    for operation in ("compress", "uncompress", "verify-md5"):
        assert gateway_api.post_json(f"{uri}/{operation}", b"") == {}
    assert gateway_api.get(f"{uri}/data").get_data() == before


def test_what_was_attached_is_answered(gateway_api, study, attached):
    assert gateway_api.get_json(f"{study}/attachments?full") == {"1024": 1024}
    response = gateway_api.get(f"{attached}/data")
    assert (response.get_data(), response.content_length) == (REPORT, len(REPORT))
    assert response.content_type == "application/octet-stream"
    assert response.headers["ETag"] == f'"0-{md5(REPORT)}"'
    assert gateway_api.get_json(attached) == OPERATIONS
    info = gateway_api.get_json(f"{attached}/info")
    assert len(info.pop("Uuid")) == 36
    assert info == {
        "ContentType": 1024,
        "UncompressedSize": len(REPORT),
        "CompressedSize": len(REPORT),
        "UncompressedMD5": md5(REPORT),
        "CompressedMD5": md5(REPORT),
    }


def test_a_compressed_attachment_is_smaller_and_says_the_same(gateway_api, attached):
    assert gateway_api.post_json(f"{attached}/compress", b"") == {}
    stored = gateway_api.get(f"{attached}/compressed-data").get_data()
    assert int.from_bytes(stored[:8], "little") == len(REPORT)
    assert zlib.decompress(stored[8:]) == REPORT
    assert texts(
        gateway_api, attached, "is-compressed", "compressed-size", "compressed-md5", "size", "md5"
    ) == ["1", str(len(stored)), md5(stored), str(len(REPORT)), md5(REPORT)]
    assert gateway_api.get(f"{attached}/data").get_data() == REPORT
    assert gateway_api.post_json(f"{attached}/verify-md5", b"") == {}
    assert gateway_api.post_json(f"{attached}/uncompress", b"") == {}
    assert texts(gateway_api, attached, "is-compressed", "compressed-md5") == ["0", md5(REPORT)]


def test_damage_is_told_by_verification(gateway_api, attached):
    store = gateway_api.services.store
    (key,) = store.files.attachment_keys()
    store.files.path(key).write_bytes(b"x" * len(REPORT))
    response = gateway_api.post(f"{attached}/verify-md5")
    assert (response.status_code, response.get_data()) == (400, b"")


@pytest.mark.parametrize("damage", [b"\xff" * 8, b""])
def test_damage_of_an_instance_is_told_by_verification(gateway_api, instance, damage):
    path = gateway_api.file_of(instance.rpartition("/")[2])
    whole = path.read_bytes()
    path.write_bytes(whole[:-8] + damage)
    assert gateway_api.post(f"{instance}/attachments/dicom/verify-md5").status_code == 400
    path.write_bytes(whole)
    assert gateway_api.post(f"{instance}/attachments/dicom/verify-md5").status_code == 200
    path.unlink()
    assert gateway_api.post(f"{instance}/attachments/dicom/verify-md5").status_code == 400


def test_a_replacement_counts_up(gateway_api, attached):
    response = gateway_api.put(attached, b"new")
    assert response.get_json(force=True) == {}
    assert response.headers["ETag"] == f'"1-{md5(b"new")}"'
    assert gateway_api.get(f"{attached}/data").get_data() == b"new"


def test_a_client_that_has_it_already_is_not_sent_it_again(gateway_api, instance, attached):
    for uri in (f"{attached}/data", f"{instance}/attachments/dicom/data"):
        tag = gateway_api.get(uri).headers["ETag"]
        response = gateway_api.get(uri, **{"If-None-Match": tag})
        assert (response.status_code, response.get_data()) == (304, b"")


def test_a_deleted_attachment_is_not_found_any_more(gateway_api, study, attached):
    assert gateway_api.delete(attached).status_code == 200
    assert gateway_api.get_json(f"{study}/attachments") == []
    assert gateway_api.get(f"{attached}/data").status_code == 404
    assert gateway_api.delete(attached).status_code == 404
    kinds = [each["ChangeType"] for each in gateway_api.get_json("/changes?since=4")["Changes"]]
    assert kinds == ["UpdatedAttachment"] * 2


def test_attachments_go_with_their_resource(gateway_api, study, attached):
    gateway_api.delete(study)
    assert gateway_api.get(f"{attached}/data").status_code == 404
    gateway_api.services.store.reclaimer.reclaim(10)
    assert list(gateway_api.services.store.files.attachment_keys()) == []


@pytest.mark.parametrize("name", ["dicom-as-json", "1", "1023", "65536"])
def test_clients_attach_nothing_that_the_gateway_keeps(gateway_api, study, name):
    assert gateway_api.put(f"{study}/attachments/{name}", b"x").status_code == 403


@pytest.mark.parametrize(
    "uri", ["{study}/attachments/nonsense", "{study}/attachments/1025", "{study}/attachments/dicom",
            "/studies/nobody/attachments/1024", "/studies/nobody/attachments"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(gateway_api, study, uri):
    response = gateway_api.get(uri.format(study=study))
    assert response.status_code == 404


def test_nothing_is_attached_to_what_is_not_there(empty_api):
    assert empty_api.put("/studies/nobody/attachments/1024", b"x").status_code == 404
    assert list(empty_api.services.store.files.attachment_keys()) == []


@pytest.mark.parametrize("operation", ["compress", "uncompress", "verify-md5"])
def test_what_changes_something_is_not_done_by_looking(gateway_api, attached, operation):
    assert gateway_api.get(f"{attached}/{operation}").status_code == 405


@pytest.fixture
def careful_api(tmp_path, lazy_codecs):
    """One that checks revisions and has a name for a number."""
    settings = Configuration(
        store=Store(folder=tmp_path / "careful" / "data"),
        rest=Rest(
            check_revisions=True,
            attachments={"report": UserAttachment(number=1024, media_type="application/pdf")},
        ),
    )
    (tmp_path / "careful").mkdir()
    api = GatewayApi(tmp_path / "careful", lazy_codecs, settings)
    yield api
    api.close()


def test_only_who_has_seen_a_revision_replaces_or_deletes_it(careful_api, made_ct):
    careful_api.store(made_ct(1))
    study = f"/studies/{careful_api.get_json('/studies')[0]}"
    uri = f"{study}/attachments/report"
    seen = careful_api.put(uri, b"a").headers["ETag"]
    assert careful_api.get(f"{uri}/data").content_type == "application/pdf"
    assert careful_api.get_json(f"{study}/attachments") == ["report"]
    assert careful_api.put(uri, b"b").status_code == 409
    newer = careful_api.put(uri, b"b", **{"If-Match": seen}).headers["ETag"]
    assert careful_api.delete(uri, **{"If-Match": seen}).status_code == 409
    assert careful_api.get(f"{uri}/data").get_data() == b"b"
    assert careful_api.delete(uri, **{"If-Match": newer}).status_code == 200
