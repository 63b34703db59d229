"""Labels over REST."""

import pytest


@pytest.fixture
def study(gateway_api, made_ct):
    gateway_api.store(made_ct(1))
    return f"/studies/{gateway_api.get_json('/studies')[0]}"


def test_a_label_is_put_on_found_and_taken_off(gateway_api, study):
    uri = f"{study}/labels/to-check_1"
    assert gateway_api.get(uri).status_code == 404
    for _ in range(2):
        response = gateway_api.put(uri)
        assert (response.status_code, response.get_data()) == (200, b"")
    assert (gateway_api.get(uri).status_code, gateway_api.get(uri).get_data()) == (200, b"")
    assert gateway_api.get_json(f"{study}/labels") == ["to-check_1"]
    assert gateway_api.get_json(study)["Labels"] == ["to-check_1"]
    for _ in range(2):
        assert gateway_api.delete(uri).status_code == 200
    assert gateway_api.get_json(f"{study}/labels") == []


def test_every_level_has_labels_and_all_in_use_are_listed_once(gateway_api, study):
    for level in ("patients", "studies", "series", "instances"):
        (resource_id,) = gateway_api.get_json(f"/{level}")
        for label in ("shared", level):
            assert gateway_api.put(f"/{level}/{resource_id}/labels/{label}").status_code == 200
    assert gateway_api.get_json("/tools/labels") == [
        "instances", "patients", "series", "shared", "studies",
    ]  # fmt: skip


def test_labels_go_with_their_resource(gateway_api, study):
    gateway_api.put(f"{study}/labels/a")
    gateway_api.delete(study)
    assert gateway_api.get_json("/tools/labels") == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("label", ["a.b", "ä", "a b", "x" * 65, "'; DROP TABLE label"])
def test_a_word_that_is_no_label_is_refused(gateway_api, study, method, label):
    response = gateway_api.call(method, f"{study}/labels/{label}")
    assert (response.status_code, response.json["OrthancStatus"]) == (400, 3)
    assert gateway_api.get_json("/tools/labels") == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_is_not_there_has_no_labels(empty_api, method):
    assert empty_api.call(method, "/studies/nobody/labels/a").status_code == 404
    assert empty_api.get("/studies/nobody/labels").status_code == 404
