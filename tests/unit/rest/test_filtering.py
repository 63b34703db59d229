"""What scripts are told of a request over HTTP, and what clients are told of their answer."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from werkzeug import Request
from werkzeug.test import EnvironBuilder

from gateway.errors import FilterFailed
from gateway.ports import Unfiltered
from gateway.rest.filtering import refusal


class Asked(Unfiltered):
    """Filters that answer what they are told, and remember what they were asked."""

    wants_requests = True

    def __init__(self, answer: bool | Exception = True) -> None:
        self.answer = answer
        self.told: tuple[str, ...] = ()
        self.headers: Mapping[str, bytes] = {}

    def request(
        self, method: str, uri: str, remote_ip: str, username: str, headers: Mapping[str, bytes]
    ) -> bool:
        self.told, self.headers = (method, uri, remote_ip, username), headers
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def request(path: str = "/", method: str = "GET", **options: Any) -> Request:
    environ = EnvironBuilder(path, method=method, **options).get_environ()
    environ["REMOTE_ADDR"] = "10.0.0.1"
    return Request(environ)


def told(path: str = "/", method: str = "GET", **options: Any) -> tuple[str, ...]:
    filters = Asked()
    assert refusal(filters, request(path, method, **options)) is None
    return filters.told


@pytest.mark.parametrize(
    ("path", "uri"),
    [("/", "/"), ("/a/b", "/a/b"), ("/a/b/", "/a/b/"), ("/a?x=1", "/a"), ("//a", "/a"),
     ("/a//b", "/a/b"), ("/./a/./b", "/a/b"), ("/x/../a", "/a"), ("/../../a", "/a"),
     ("/a/..", "/"), ("/a%20b", "/a b"), ("/a%252Fb", "/a/b"), ("/caf%C3%A9", "/café"),
     ("/x%252F..%252Fa", "/a")],
)  # fmt: skip
def test_a_path_has_one_name(path, uri):
    environ = EnvironBuilder("/").get_environ()
    raw, _, environ["QUERY_STRING"] = path.partition("?")
    environ["PATH_INFO"] = unquote_to_bytes(raw).decode("latin-1")
    filters = Asked()

    refusal(filters, Request(environ))

    assert filters.told[1] == uri


@pytest.mark.parametrize(
    ("method", "name"),
    [("GET", "GET"), ("HEAD", "GET"), ("OPTIONS", "GET"), ("POST", "POST"), ("PATCH", "PATCH")],
)
def test_what_asks_for_nothing_but_headers_is_like_get(method, name):
    assert told(method=method)[0] == name


def test_headers_have_names_in_lower_case_and_bytes_as_they_came():
    filters = Asked()
    refusal(filters, request(headers={"X-Token": "s\xe9", "Content-Type": "text/plain"}))

    assert filters.headers["x-token"] == b"s\xe9"
    assert filters.headers["content-type"] == b"text/plain"


def test_who_has_signed_in_is_told_or_who_says_so():
    anna = "Basic " + base64.b64encode(b"anna:x").decode()

    assert told()[3] == ""
    assert told(headers={"Authorization": anna})[3] == "anna"
    assert told(headers={"Authorization": "Basic \xe9"})[3] == ""
    assert told(headers={"Authorization": "Bearer x"})[3] == ""
    assert (
        told(environ_overrides={"REMOTE_USER": "otto"}, headers={"Authorization": anna})[3]
        == "otto"
    )


def test_a_refused_request_is_forbidden():
    response = refusal(Asked(False), request())

    assert response is not None
    assert response.status_code == 403


@pytest.mark.parametrize(("is_no_answer", "number"), [(False, 2031), (True, 2034)])
def test_when_the_filter_fails_nothing_of_the_script_is_told(is_no_answer, number):
    failed = FilterFailed("secret.lua:7: boom", is_no_answer=is_no_answer)

    response = refusal(Asked(failed), request())

    assert response is not None
    assert response.status_code == 500
    assert response.get_json()["OrthancStatus"] == number
    assert b"secret" not in response.get_data()


def test_load_balancers_and_gateways_without_filters_are_not_asked_about():
    never = Asked(False)

    assert refusal(never, request("/healthz")) is None
    assert refusal(Unfiltered(), request("/")) is None
    assert never.told == ()
