"""What is not there yet says so; paths in between list what is below them."""

import pytest

from gateway.rest.later import later_routes


@pytest.mark.parametrize("route", later_routes(), ids=lambda route: f"{route.method} {route.path}")
def test_a_route_of_a_later_version_says_that_it_is_missing(empty_api, route):
    path = route.path.replace("<path:rest>", "a/b").replace("<", "").replace(">", "")
    response = empty_api.call(route.method, path)
    assert response.status_code == 501
    assert response.json["OrthancStatus"] == 2
    assert response.json["Details"].startswith(f"{route.method} {path}: this gateway does not")


def test_the_tools_are_listed(empty_api):
    tools = empty_api.get_json("/tools")
    assert {"now", "generate-uid", "reset", "bulk-modify"} <= set(tools)
    assert tools == sorted(tools)


def test_a_path_that_leads_nowhere_is_unknown(empty_api):
    assert empty_api.get("/tool").status_code == 404
