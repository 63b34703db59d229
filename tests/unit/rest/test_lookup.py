"""From ids to what they name."""

import pytest

from gateway.model import Level
from gateway.rest.errors import ApiError
from gateway.rest.lookup import resource_of, version_of


def test_a_stored_image_is_found_by_its_id_and_level(gateway_api, made_ct):
    instance_id = gateway_api.store(made_ct(1))
    found = resource_of(gateway_api.services, Level.INSTANCE, instance_id)
    assert found.main_tags["InstanceNumber"] == "1"
    assert version_of(gateway_api.services, instance_id).instance_id == instance_id


def test_the_id_of_another_level_is_unknown(gateway_api, made_ct):
    instance_id = gateway_api.store(made_ct(1))
    with pytest.raises(ApiError):
        resource_of(gateway_api.services, Level.STUDY, instance_id)


def test_an_id_that_nobody_has_is_unknown(empty_api):
    with pytest.raises(ApiError):
        resource_of(empty_api.services, Level.STUDY, "0" * 44)
    with pytest.raises(ApiError):
        version_of(empty_api.services, "0" * 44)
