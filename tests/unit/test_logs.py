"""What reaches the log, what must not, and that logging never fails its caller."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
import warnings

import pytest
import structlog
from pydicom import Dataset

from gateway import logs
from gateway.errors import RemoteRefused, StoreError

NAME = "MUSTERMANN^ERIKA"


@pytest.fixture(autouse=True)
def put_back(monkeypatch):
    """Undo what configure() changes in the process."""
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys):
    """The JSON lines written so far."""
    logs.configure(style="json")
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture
def text(capsys):
    """What a person at a terminal would have read so far."""
    logs.configure(style="human")
    return lambda: capsys.readouterr().err


def fail_reading(value: str) -> None:
    """As pydicom does: an exception that quotes what it could not read."""
    try:
        float(value)
    except ValueError as exc:
        raise StoreError("the data set cannot be kept") from exc


class TestLines:
    def test_an_outcome_is_one_line_with_its_ids_and_measures(self, lines):
        logs.logger("store").info("stored", instance="abc", size_bytes=7)
        (line,) = lines()
        assert (line["event"], line["level"], line["room"]) == ("stored", "info", "store")
        assert (line["instance"], line["size_bytes"]) == ("abc", 7)
        assert line["timestamp"].endswith("Z")

    def test_it_is_json_where_nobody_sits(self, capsys):
        logs.configure(style="auto")
        logs.logger("x").info("stored")
        assert json.loads(capsys.readouterr().err)["event"] == "stored"

    def test_it_is_plain_at_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        logs.configure(style="auto")
        logs.logger("x").info("stored")
        assert not capsys.readouterr().err.startswith("{")

    def test_the_level_holds_for_loggers_made_before(self, capsys):
        log = logs.logger("x")
        logs.configure(level="warning", style="json")
        log.info("not wanted")
        log.warning("wanted")
        assert "wanted" in capsys.readouterr().err.splitlines()[0]

    def test_a_name_from_the_network_cannot_fake_a_line_or_colour_it(self, text):
        logs.logger("x").info("association", calling_aet="A\n12:00 [error] fake\x1b[31m\u202e")
        assert len(text().splitlines()) == 1

    def test_a_name_from_the_network_cannot_send_codes_to_the_terminal(self, text):
        logs.logger("x").info("association", calling_aet="A\x1b[31m\u202e")
        assert not {"\x1b", "\u202e"} & set(text())


class TestExceptions:
    def test_an_exception_is_told_once_with_its_cause_and_places(self, lines):
        try:
            fail_reading("x")
        except StoreError:
            logs.logger("x").exception("request failed")
        (line,) = lines()
        cause, place, error, *_ = line["exception"].splitlines()
        assert cause.startswith("ValueError")
        assert "test_logs.py" in place
        assert error == "gateway.errors.StoreError: the data set cannot be kept"

    def test_the_words_of_an_exception_that_may_quote_values_are_left_out(self, lines):
        try:
            fail_reading(NAME)
        except StoreError:
            logs.logger("x").exception("request failed")
        assert NAME not in str(lines())

    def test_the_words_of_the_operating_system_are_kept(self, lines):
        try:
            os.stat("/no/such/file")
        except OSError:
            logs.logger("x").exception("request failed")
        assert "No such file or directory" in lines()[0]["exception"]

    def test_an_endless_recursion_is_cut_short(self, lines):
        def recurse() -> None:
            recurse()

        try:
            recurse()
        except RecursionError:
            logs.logger("x").exception("request failed")
        assert len(lines()[0]["exception"].splitlines()) < 50

    def test_the_text_of_a_peer_cannot_send_codes_to_the_terminal(self, text):
        refused = RemoteRefused("PACS", 0xC000, "\x1b[2J")
        logs.logger("x").error("forward failed", exc_info=refused)
        assert "\x1b" not in text()

    def test_a_thread_that_dies_is_told_with_its_name(self, lines):
        thread = threading.Thread(target=fail_reading, args=[NAME], name="lane-1")
        thread.start()
        thread.join()
        (line,) = lines()
        assert (line["event"], line["thread"]) == ("a thread died", "lane-1")
        assert NAME not in str(line)


class TestLibraries:
    @pytest.mark.parametrize("library", ["pydicom", "sqlalchemy.engine", "some.other"])
    def test_a_library_that_may_quote_values_is_told_by_its_place_alone(self, lines, library):
        logging.getLogger(library).warning("invalid value '%s'", NAME)
        (line,) = lines()
        assert line["library"] == library
        assert line["place"].startswith("unit/test_logs.py:")
        assert NAME not in str(line)

    @pytest.mark.parametrize("library", ["alembic.runtime", "cheroot", "watchdog"])
    def test_a_library_that_speaks_of_itself_is_quoted(self, lines, library):
        logging.getLogger(library).error("no presentation context for %s", "PACS")
        assert lines()[0]["problem"] == "no presentation context for PACS"

    def test_an_exception_that_such_a_library_logs_is_not_quoted(self, lines):
        try:
            float(NAME)
        except ValueError as exc:
            logging.getLogger("cheroot").exception(exc)  # noqa: TRY401  # libraries do that
        assert NAME not in str(lines())

    @pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
    def test_what_libraries_tell_of_their_daily_work_is_left_out(self, lines, level):
        logging.getLogger("pynetdicom").log(level, NAME)
        logging.getLogger("sqlalchemy").log(level, NAME)
        assert lines() == []

    def test_a_value_that_pydicom_warns_about_stays_out_of_the_log(self, lines):
        dataset = Dataset()
        dataset.PatientBirthDate = NAME  # not a date
        dataset.StudyInstanceUID = NAME  # not a UID
        assert NAME not in str(lines())

    def test_a_warning_is_told_by_its_kind_and_place(self, lines):
        warnings.simplefilter("always")
        warnings.warn(f"cannot read {NAME}", RuntimeWarning, stacklevel=1)
        (line,) = lines()
        assert line["category"] == "RuntimeWarning"
        assert "test_logs.py" in line["place"]
        assert NAME not in str(line)

    def test_a_record_that_does_not_fit_its_format_is_told_all_the_same(self, lines):
        ours = [h for h in logging.getLogger().handlers if type(h).__module__ == logs.__name__]
        logging.getLogger().handlers[:] = ours  # pytest's own would raise
        logging.getLogger("cheroot").error("%d connections", "many")
        assert lines()[0]["problem"] == "%d connections"


class _Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


class TestNeverFails:
    @pytest.mark.parametrize("stream", [None, _Broken()])
    def test_a_broken_standard_error_is_ignored(self, monkeypatch, stream):
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure()
        logs.logger("x").error("lost")
        logging.getLogger("cheroot").error("lost")

    def test_a_closed_standard_error_is_ignored(self, monkeypatch):
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure()
        stream.close()
        logs.configure()
        logs.logger("x").error("lost")

    def test_a_value_that_json_does_not_know_is_written_somehow(self, lines):
        logs.logger("x").info("odd", value={1, 2}, data=b"\xff")
        assert lines()[0]["event"] == "odd"

    def test_a_reader_that_went_away_does_not_end_the_process(self):
        code = (
            "from gateway import logs; logs.configure(style='json'); log = logs.logger('x')\n"
            "for _ in range(20000): log.info('line')\n"
            "print('to the end')"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.readline()
        process.stderr.close()
        with process.stdout as stdout:
            assert stdout.read() == b"to the end\n"
        process.wait()
