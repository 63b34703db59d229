"""What a client learns of the gateway, what it may tune, and how it ends it."""

import re
from datetime import UTC, datetime

import pytest
import structlog
from images import made_ct
from pydicom.uid import UID
from rest_support import GatewayApi
from structlog.testing import capture_logs

from gateway import __version__, logs
from gateway.config.models import Configuration, Dicom, Http
from gateway.config.models import Store as StoreSettings
from gateway.dicom import charsets, syntaxes
from gateway.dicom.charsets import encoding_of
from gateway.rest.system import system_information


@pytest.fixture
def configured(tmp_path):
    """Make an API with settings of its own; closed afterwards."""
    made = []

    def make(**sections):
        store = StoreSettings(folder=tmp_path / "data")
        made.append(
            GatewayApi(tmp_path, codecs=None, settings=Configuration(store=store, **sections))
        )
        return made[-1]

    yield make
    for api in made:
        api.close()


def text(response):
    return response.get_data(as_text=True)


def system_of(**sections):
    return system_information(Configuration(**sections))


# --- /system and /statistics ---------------------------------------------------------------------


def test_the_system_says_what_clients_of_orthanc_look_at(empty_api):
    system = empty_api.get_json("/system")
    assert system["Version"].split(".") >= ["1", "10"]
    assert all(number.isdecimal() for number in system["Version"].split("."))
    assert system["DicomAet"] == "GATEWAY"
    assert system["HasLabels"] is True
    assert system["GatewayVersion"] == __version__


def test_the_system_names_the_main_tags_by_number():
    assert system_of()["MainDicomTags"]["Patient"].split(";") == [
        "0010,0010", "0010,0030", "0010,0040", "0010,1000", "0010,0020",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("http", "secure"),
    [
        (Http(), True),
        (Http(remote_access=True), False),
        (Http(remote_access=True, users={"alice": "secret"}), True),
    ],
)
def test_the_interface_is_called_secure_unless_everybody_is_let_in(http, secure):
    assert system_of(http=http)["IsHttpServerSecure"] is secure


def test_nothing_of_the_system_shows_a_password():
    assert "secret" not in str(system_of(http=Http(users={"alice": "secret"})))


def test_statistics_count_what_is_stored(gateway_api):
    ids = gateway_api.store_all([made_ct(1, PatientID="A"), made_ct(2, PatientID="B")])
    size = sum(gateway_api.file_of(each).stat().st_size for each in ids)
    found = gateway_api.get_json("/statistics")
    assert found == {
        "CountInstances": 2,
        "CountPatients": 2,
        "CountSeries": found["CountSeries"],
        "CountStudies": 2,
        "TotalDiskSize": str(size),
        "TotalDiskSizeMB": size >> 20,
        "TotalUncompressedSize": str(size),
        "TotalUncompressedSizeMB": size >> 20,
    }


def test_an_empty_store_has_nothing(empty_api):
    assert set(empty_api.get_json("/statistics").values()) == {0, "0"}


# --- tools ---------------------------------------------------------------------------------------


def test_the_time_is_in_orthancs_form(empty_api):
    before = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
    now = datetime.strptime(text(empty_api.get("/tools/now")), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    assert 0 <= (now - before).total_seconds() < 60
    assert re.fullmatch(r"\d{8}T\d{6}", text(empty_api.get("/tools/now-local")))


@pytest.mark.parametrize("level", ["study", "series", "instance"])
def test_a_uid_is_new_and_valid(empty_api, level):
    made = {text(empty_api.get(f"/tools/generate-uid?level={level}")) for _ in range(20)}
    assert len(made) == 20
    assert all(UID(uid).is_valid for uid in made)


def test_a_patient_gets_an_identifier_that_is_no_uid(empty_api):
    assert len(text(empty_api.get("/tools/generate-uid?level=patient"))) == 36


@pytest.mark.parametrize("query", ["", "?level=", "?level=Study", "?level=frame"])
def test_no_uid_is_made_for_an_unknown_level(empty_api, query):
    response = empty_api.get(f"/tools/generate-uid{query}")
    assert (response.status_code, response.data) == (404, b"")


def test_there_are_no_plugins(empty_api):
    assert empty_api.get_json("/plugins") == []
    assert empty_api.get("/plugins/dicom-web").status_code == 404


def test_the_conformance_statement_names_what_is_accepted(gateway_api):
    gateway_api.put("/tools/accepted-transfer-syntaxes", f'["{syntaxes.IMPLICIT_LE.uid}"]')
    statement = text(gateway_api.get("/tools/dicom-conformance"))
    assert "GATEWAY" in statement
    assert re.search(r"^1\.2\.840\.10008\.1\.2 ", statement, re.MULTILINE)
    assert "1.2.840.10008.1.2.4.50" not in statement


def test_the_first_page_leads_to_the_description(empty_api):
    page = empty_api.get("/")
    assert page.content_type.startswith("text/html")
    assert "openapi.json" in text(page)


@pytest.mark.parametrize(("tool", "wish"), [("reset", "restart"), ("shutdown", "stop")])
def test_a_client_can_end_the_gateway_or_have_it_started_anew(gateway_api, tool, wish):
    assert gateway_api.post_json(f"/tools/{tool}", b"") == {}
    assert gateway_api.ended == [wish]


def test_nobody_ends_the_gateway_by_reading(empty_api):
    assert empty_api.get("/tools/shutdown").status_code == 405
    assert empty_api.ended == []


# --- settings that can be changed ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('["1.2.840.10008.1.2"]', ["1.2.840.10008.1.2"]),
        ('"1.2.840.10008.1.2.4.57*"', ["1.2.840.10008.1.2.4.57"]),
        ("*.1.99", ["1.2.840.10008.1.2.1.99"]),
        ('["nothing"]', []),
        ("[]", []),
    ],
)
def test_the_receiver_accepts_the_syntaxes_that_a_client_names(gateway_api, body, expected):
    response = gateway_api.put("/tools/accepted-transfer-syntaxes", body)
    assert response.get_json() == expected
    assert gateway_api.get_json("/tools/accepted-transfer-syntaxes") == response.get_json()
    assert gateway_api.services.reception.transfer_syntaxes == set(expected)


def test_syntaxes_are_listed_by_their_numbers(empty_api):
    listed = empty_api.get_json("/tools/accepted-transfer-syntaxes")
    assert listed.index("1.2.840.10008.1.2.4.90") < listed.index("1.2.840.10008.1.2.4.100")
    assert set(listed) == empty_api.services.reception.transfer_syntaxes


@pytest.mark.parametrize("body", ['{"a": 1}', "[1]", "5", "null"])
def test_what_is_no_list_of_syntaxes_changes_nothing(empty_api, body):
    before = empty_api.get_json("/tools/accepted-transfer-syntaxes")
    assert empty_api.put("/tools/accepted-transfer-syntaxes", body).status_code == 400
    assert empty_api.get_json("/tools/accepted-transfer-syntaxes") == before


@pytest.mark.parametrize(("body", "told"), [("1", "1"), ("true", "1"), ("0", "0"), ("false", "0")])
def test_unknown_sop_classes_can_be_let_in(configured, body, told):
    api = configured(dicom=Dicom(accept_unknown_sop_classes=told == "0"))
    assert api.put("/tools/unknown-sop-class-accepted", body).status_code == 200
    assert text(api.get("/tools/unknown-sop-class-accepted")) == told
    assert api.services.reception.accepts_unknown_sop_classes is (told == "1")


@pytest.mark.parametrize("body", ["", "yes", "True", b"\xff"])
def test_what_is_neither_true_nor_false_is_refused(empty_api, body):
    response = empty_api.put("/tools/unknown-sop-class-accepted", body)
    assert (response.status_code, response.json["OrthancStatus"]) == (400, 15)


@pytest.fixture
def _encoding_as_before():
    before = charsets.default_encoding()
    yield
    charsets.set_default_encoding(before)


@pytest.mark.usefixtures("_encoding_as_before")
def test_text_without_a_character_set_is_read_as_a_client_says(gateway_api):
    assert text(gateway_api.get("/tools/default-encoding")) == "Latin1"
    assert text(gateway_api.put("/tools/default-encoding", "utf8")) == "Utf8"
    assert encoding_of("") == "utf_8"
    assert encoding_of("ISO_IR 100") != "utf_8"
    response = gateway_api.put("/tools/default-encoding", "EBCDIC")
    assert (response.status_code, response.json["OrthancStatus"]) == (400, 3)
    assert text(gateway_api.get("/tools/default-encoding")) == "Utf8"


@pytest.mark.usefixtures("_encoding_as_before")
@pytest.mark.parametrize("name", sorted(charsets.ENCODINGS))
def test_every_encoding_is_one_that_python_knows(name):
    charsets.set_default_encoding(name)
    "".encode(charsets.default_codec())


def test_more_is_logged_when_a_client_asks_for_it(gateway_api):
    configured = structlog.get_config()
    logged = []
    try:
        for word in ("default", "trace", "verbose", "default"):
            gateway_api.put("/tools/log-level", word)
            assert text(gateway_api.get("/tools/log-level")) == word
            with capture_logs() as lines:
                logs.logger("test").debug("a detail")
            logged.append(len(lines))
    finally:
        structlog.configure(**configured)
    assert logged == [0, 1, 0, 0]


def test_an_unknown_log_level_is_refused_with_those_that_are(empty_api):
    response = empty_api.put("/tools/log-level", "loud")
    assert response.status_code == 400
    assert response.json["Details"] == ('Verbosity can be "default", "verbose" or "trace": loud')


# --- Lua -----------------------------------------------------------------------------------------


def test_lua_of_clients_is_refused_unless_the_site_allows_it(empty_api):
    response = empty_api.post("/tools/execute-script", "print(1)")
    assert (response.status_code, response.data) == (403, b"")


def test_lua_answers_what_it_prints(configured):
    api = configured(http=Http(execute_lua=True))
    assert text(api.post("/tools/execute-script", "print('a', 1) print('ü')")) == "a, 1\nü\n"
    assert text(api.post("/tools/execute-script", "")) == ""


@pytest.mark.parametrize(
    ("source", "details"),
    [
        ("print(1) error('x')", "line:1: x"),
        ("prin(", "line:1: unexpected symbol near '<eof>'"),
        (
            "function OnStoredInstance() end",
            "OnStoredInstance would be gone with these lines, which have run:"
            " put them into a file of the script folder",
        ),
        ("function Initialize() end", None),
        ("return", None),
    ],
)
def test_lua_that_fails_says_where(configured, source, details):
    response = configured(http=Http(execute_lua=True)).post("/tools/execute-script", source)
    if details is None:
        assert response.status_code == 200
    else:
        assert (response.status_code, response.json["OrthancStatus"]) == (500, 2031)
        assert response.json["Details"] == details


# --- metrics -------------------------------------------------------------------------------------


def test_dashboards_for_orthanc_find_their_figures_and_ours(gateway_api):
    gateway_api.store(made_ct(1))
    figures = text(gateway_api.get("/tools/metrics-prometheus")).splitlines()
    assert "orthanc_count_instances 1.0" in figures
    assert "orthanc_jobs_running 0.0" in figures
    assert any(line.startswith("gateway_stored_bytes_total") for line in figures)


def test_metrics_can_be_turned_off_and_on(gateway_api):
    for switch in ("0", "1"):
        gateway_api.put("/tools/metrics", switch)
        assert text(gateway_api.get("/tools/metrics")) == switch
        assert bool(gateway_api.get("/tools/metrics-prometheus").data) is (switch == "1")
