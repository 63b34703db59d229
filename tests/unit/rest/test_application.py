"""The table of routes: what is answered, without a socket."""

import pytest
from structlog.testing import capture_logs
from werkzeug import Response
from werkzeug.exceptions import Conflict
from werkzeug.test import Client

from gateway.rest.application import Application, json_response
from gateway.rest.routes import Route


def fail(request):
    raise ZeroDivisionError("a detail that is nobody's business")


def conflict(request):
    raise Conflict("it is in use")


@pytest.fixture
def client():
    return Client(
        Application(
            [
                Route("GET", "/things/<name>", lambda request, name: Response(f"thing {name}")),
                Route("DELETE", "/things/<name>", lambda request, name: json_response({}, 202)),
                Route("GET", "/fail", fail),
                Route("GET", "/conflict", conflict),
            ]
        )
    )


def test_the_variables_of_a_path_reach_the_handler(client):
    assert client.get("/things/a%20b").text == "thing a b"


def test_one_path_has_a_handler_for_each_method(client):
    assert client.delete("/things/a").status_code == 202


def test_head_answers_what_get_does_without_a_body(client):
    response = client.head("/things/abc")
    assert (response.status_code, response.content_length, response.data) == (200, 9, b"")


def test_an_unknown_path_is_a_404_in_json(client):
    response = client.get("/nothing")
    assert response.status_code == 404
    assert response.json["HttpError"] == "Not Found"
    assert (response.json["Method"], response.json["Uri"]) == ("GET", "/nothing")


def test_a_wrong_method_is_a_405_in_json_that_says_which_are_right(client):
    response = client.post("/things/a")
    assert (response.status_code, response.json["HttpStatus"]) == (405, 405)
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


def test_an_http_exception_of_a_handler_is_answered_in_json(client):
    response = client.get("/conflict")
    assert (response.status_code, response.json["Message"]) == (409, "it is in use")


def test_an_unexpected_error_is_a_500_that_tells_no_detail(client):
    with capture_logs():
        response = client.get("/fail")
    assert response.status_code == 500
    assert "nobody's business" not in response.text


def test_an_unexpected_error_is_logged_once(client):
    with capture_logs() as lines:
        client.get("/fail")
    assert [line["event"] for line in lines] == ["request failed"]
    assert lines[0]["path"] == "/fail"


def test_a_doubled_or_closing_slash_is_not_redirected(client):
    assert client.get("//things/a").status_code == 404
    assert client.get("/conflict/").status_code == 409
