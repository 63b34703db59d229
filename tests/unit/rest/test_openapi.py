"""The OpenAPI description says all that is there, and nothing that is not."""

import re
from collections import Counter

import pytest

from gateway.rest.api import api_routes
from gateway.rest.documentation import DOCS
from gateway.rest.later import LATER
from gateway.rest.openapi import key_of


@pytest.fixture
def routes(empty_api):
    return api_routes(empty_api.services)


@pytest.fixture
def described(empty_api):
    return empty_api.get_json("/openapi.json")


def test_every_route_is_documented_and_nothing_else(routes):
    documented = {key_of(route) for route in routes if (route.method, route.path) not in LATER}
    assert documented == DOCS.keys()


def test_no_route_is_there_twice(routes):
    twice = Counter((route.method, re.sub(r"<\w+>", "<>", route.path)) for route in routes)
    assert [place for place, times in twice.items() if times > 1] == []


def test_the_description_has_each_route(routes, described):
    there = {
        (method.upper(), path)
        for path, operations in described["paths"].items()
        for method in operations
    }
    assert there == {
        (route.method, re.sub(r"<(?:path:)?(\w+)>", r"{\1}", route.path)) for route in routes
    }


def test_no_path_can_be_taken_for_another(described):
    shapes = Counter(re.sub(r"\{\w+\}", "{}", path) for path in described["paths"])
    assert [shape for shape, times in shapes.items() if times > 1] == []


def test_each_operation_has_a_name_of_its_own_and_a_summary(described):
    operations = [each for path in described["paths"].values() for each in path.values()]
    names = Counter(each["operationId"] for each in operations)
    assert [name for name, times in names.items() if times > 1] == []
    assert all(each["summary"] for each in operations)


def test_what_is_not_there_yet_is_described_as_such(described):
    operation = described["paths"]["/dicom-web/{rest}"]["get"]
    assert operation["summary"] == "Not there yet: DICOMweb"
    assert operation["responses"].keys() == {"501"}


def test_the_variables_of_a_path_are_parameters(described):
    (parameter,) = described["paths"]["/studies/{resource_id}/archive"]["post"]["parameters"]
    assert (parameter["name"], parameter["in"], parameter["required"]) == (
        "resource_id",
        "path",
        True,
    )


def test_it_is_openapi_3_1(described):
    assert described["openapi"] == "3.1.0"
    assert described["info"]["version"]
