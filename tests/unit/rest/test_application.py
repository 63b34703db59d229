"""The table of routes: what is answered, without a socket."""

import pytest
from structlog.testing import capture_logs
from werkzeug import Response
from werkzeug.test import Client

from gateway.model import Origin, OriginKind
from gateway.rest.answers import json_answer
from gateway.rest.application import Application, origin_of
from gateway.rest.errors import ApiError, Fault, UnknownId
from gateway.rest.routes import Route


def fail(request):
    raise ZeroDivisionError("a detail that is nobody's business")


def refuse(request):
    raise ApiError(Fault.BAD_REQUEST, "it is in use")


def nobody(request):
    raise UnknownId


@pytest.fixture
def application():
    return Application(
        [
            Route("GET", "/things/<name>", lambda request, name: Response(f"thing {name}")),
            Route("DELETE", "/things/<name>", lambda request, name: json_answer({}, 202)),
            Route("GET", "/fail", fail),
            Route("GET", "/refuse", refuse),
            Route("GET", "/nobody", nobody),
            Route("POST", "/echo", lambda request: Response(request.get_data())),
            Route("GET", "/who", lambda request: Response(origin_of(request).kind)),
        ]
    )


@pytest.fixture
def client(application):
    return Client(application)


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


def test_an_unknown_id_is_a_404_without_a_body(client):
    response = client.get("/nobody")
    assert (response.status_code, response.data) == (404, b"")


def test_a_wrong_method_is_a_405_that_says_which_are_right(client):
    response = client.post("/things/a")
    assert (response.status_code, response.data) == (405, b"")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


def test_an_error_of_a_handler_is_answered_with_orthancs_number_and_words(client):
    response = client.get("/refuse")
    assert response.status_code == 400
    assert response.json == {
        "Details": "it is in use",
        "HttpError": "Bad Request",
        "HttpStatus": 400,
        "Message": "Bad request",
        "Method": "GET",
        "OrthancError": "Bad request",
        "OrthancStatus": 8,
        "Uri": "/refuse",
    }


def test_a_script_calls_without_a_socket_and_is_known_as_one(application):
    origin = Origin(OriginKind.LUA)
    assert application.call("GET", "/who", origin=origin).data == b"Lua"
    assert application.call("POST", "/echo", body=b"\0\xff", origin=origin).data == b"\0\xff"
    assert application.call("GET", "things/a?b=c", origin=origin).data == b"thing a"


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
    assert client.get("/refuse/").status_code == 400
