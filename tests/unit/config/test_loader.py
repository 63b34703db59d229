"""What an administrator writes, and what is read from it or said about it."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from gateway.config.loader import inspect, load
from gateway.config.models import Configuration
from gateway.errors import ConfigurationInvalid


@pytest.fixture
def read(tmp_path):
    """Load a configuration from text and variables."""

    def read(text: str = "", **environment: str) -> Configuration:
        file = tmp_path / "gateway.toml"
        file.write_text(text, encoding="utf-8")
        return load(file, environment)

    return read


@pytest.fixture
def faults(read):
    """The faults of a configuration, as lines of text."""

    def faults(text: str = "", **environment: str) -> list[str]:
        with pytest.raises(ConfigurationInvalid) as caught:
            read(text, **environment)
        return [str(fault) for fault in caught.value.faults]

    return faults


PACS = '[destinations.pacs-east]\naet = "PACS"\nhost = "pacs.example"\nport = 104\n'


class TestWithoutFaults:
    def test_nothing_at_all_is_the_defaults(self):
        assert load(None, {}) == Configuration()

    def test_an_empty_file_is_the_defaults(self, read):
        assert read("") == Configuration()

    def test_a_file_of_an_editor_that_writes_a_byte_order_mark_is_read(self, read):
        assert read("\ufeff[dicom]\nport = 104").dicom.port == 104

    def test_lists_and_tables_are_read(self, read):
        dicom = read(
            """
            [dicom]
            networks = ["10.0.0.0/8"]
            [[dicom.callers]]
            aet = "CT1"
            allow = ["echo"]
            """
        ).dicom
        assert dicom.networks == (IPv4Network("10.0.0.0/8"),)
        assert dicom.callers[0].allow == {"echo"}

    def test_relative_paths_of_the_file_start_at_its_folder(self, read, tmp_path):
        assert read('store.folder = "kept"').store.folder == tmp_path / "kept"

    def test_absolute_paths_of_the_file_stay(self, read):
        assert read('store.folder = "/var/lib/g"').store.folder == Path("/var/lib/g")

    def test_relative_defaults_start_at_the_working_folder(self, read):
        assert read("").scripts.folder == Path("scripts")

    def test_outer_spaces_of_an_ae_title_mean_nothing(self, read):
        assert read('dicom.aet = " GW "').dicom.aet == "GW"


class TestEnvironment:
    def test_a_variable_overrides_the_file(self, read):
        assert read("dicom.port = 104", GATEWAY_DICOM__PORT="11113").dicom.port == 11113

    def test_a_variable_sets_what_the_file_leaves_out(self, read):
        assert read("", GATEWAY_DICOM__SYNTAXES__JPEG="false").dicom.syntaxes.jpeg is False

    def test_text_needs_no_quotes_even_when_it_looks_like_a_number(self, read):
        assert read("", GATEWAY_DICOM__AET="42").dicom.aet == "42"

    @pytest.mark.parametrize("value", ['["10.0.0.0/8"]', "['10.0.0.0/8']"])
    def test_a_list_is_written_as_in_toml_or_json(self, read, value):
        networks = read("", GATEWAY_DICOM__NETWORKS=value).dicom.networks
        assert networks == (IPv4Network("10.0.0.0/8"),)

    @pytest.mark.parametrize(
        "value",
        ['{aet = "A", host = "h", port = 104}', '{"aet": "A", "host": "h", "port": 104}'],
    )
    def test_a_table_is_written_as_in_toml_or_json(self, read, value):
        destinations = read("", GATEWAY_DESTINATIONS__ARCHIVE=value).destinations
        assert destinations["archive"].port == 104

    def test_a_key_in_a_table_wins_over_the_whole_table(self, read):
        http = read("", GATEWAY_HTTP__PORT="1", GATEWAY_HTTP='{port = 2, host = "::1"}').http
        assert (http.port, http.host) == (1, "::1")

    def test_a_destination_of_the_file_is_found_in_any_case_and_with_dashes(self, read):
        configuration = read(PACS, GATEWAY_DESTINATIONS__PACS_EAST__HOST="other.example")
        assert configuration.destinations["pacs-east"].host == "other.example"
        assert list(configuration.destinations) == ["pacs-east"]

    def test_a_relative_path_in_a_variable_starts_at_the_working_folder(self, read):
        assert read("", GATEWAY_SCRIPTS__FOLDER="lua").scripts.folder == Path("lua")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("GATEWAY_CONFIG", "/etc/gateway.toml"),
            ("GATEWAY_SERVICE_HOST", "10.3.0.1"),
            ("GATEWAY_DICOM_SERVICE_PORT_DICOM", "11112"),
            ("GATEWAY_PORT", "tcp://10.3.0.1:11112"),
            ("GATEWAY_PORT_11112_TCP_ADDR", "10.3.0.1"),
            ("HOME", "/root"),
        ],
    )
    def test_variables_that_kubernetes_and_others_set_are_left_alone(self, read, name, value):
        assert read("", **{name: value}) == Configuration()


class TestFaults:
    def test_all_faults_of_file_and_environment_come_at_once(self, faults):
        text = '[dicom]\nport = "x"\naet = ""\n[log]\nlevel = "loud"\n[store]\nfoldr = "x"'
        lines = faults(text, GATEWAY_RETRY__ATTEMPTS="many", GATEWAY_FOO="1")
        assert {line.split(":")[0] for line in lines} == {
            "dicom.port",
            "dicom.aet",
            "log.level",
            "store.foldr",
            "GATEWAY_RETRY__ATTEMPTS",
            "GATEWAY_FOO",
        }

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (
                "dicom.port = 70000",
                "dicom.port: 70000 is too large (a whole number from 0 up to 65535)",
            ),
            (
                'dicom.port = "104"',
                'dicom.port: "104" is not a whole number (a whole number from 0 up to 65535)',
            ),
            (
                "dicom.check_called_aet = 1",
                "dicom.check_called_aet: 1 is neither true nor false (true or false)",
            ),
            (
                'dicom.aet = "SEVENTEEN_LETTERS"',
                'dicom.aet: "SEVENTEEN_LETTERS" is not an AE title'
                " (1 to 16 ASCII characters, no backslash)",
            ),
            (
                'dicom.networks = ["10.1.2.3/8"]',
                'dicom.networks[1]: "10.1.2.3/8" is not a network (did you mean "10.0.0.0/8"?)',
            ),
            (
                'store.duplicates = "ignore"',
                'store.duplicates: "ignore" is not one of the choices'
                ' ("overwrite" or "keep" or "reject" or "discard")',
            ),
            (
                "dicom.idle_timeout_s = inf",
                "dicom.idle_timeout_s: Infinity is not a number that can be measured"
                " (a number above 0 up to 604800)",
            ),
            ("store = 3", "store: 3 is not a table (a table of keys and values)"),
            (
                "dicom.callers = 3",
                "dicom.callers: 3 is not a list (a list of tables)",
            ),
            (
                "dicom.networks = 3",
                'dicom.networks: 3 is not a list (a list of texts: ["...", "..."])',
            ),
            (
                'http.host = "localhost:80/x"',
                'http.host: "localhost:80/x" is not a host (a name or an address, without a port)',
            ),
            (
                "dicom.port = 2026-01-01",
                'dicom.port: "2026-01-01" is not a whole number'
                " (a whole number from 0 up to 65535)",
            ),
            (
                "dicom.maximum_pdu_byte = 1",
                "dicom.maximum_pdu_byte: there is no such key"
                " (did you mean dicom.maximum_pdu_bytes?)",
            ),
            (
                "maximum_pdu_bytes = 1",
                "maximum_pdu_bytes: there is no such key (did you mean dicom.maximum_pdu_bytes?)",
            ),
            (
                "log.shape = 1",
                "log.shape: there is no such key (known here: level, format)",
            ),
        ],
    )
    def test_a_fault_says_the_key_the_value_and_what_would_be_right(self, faults, text, said):
        assert faults(text) == [said]

    def test_an_unknown_syntax_names_its_place_in_the_list(self, faults):
        (line,) = faults('dicom.syntaxes.accept = ["*", "jpeg3000"]')
        assert line.startswith('dicom.syntaxes.accept[2]: "jpeg3000" matches no transfer syntax')

    def test_a_destination_needs_a_title_a_host_and_a_port(self, faults):
        assert faults("[destinations.archive]") == [
            'destinations.archive.aet: is missing (text, in quotes: "...")',
            'destinations.archive.host: is missing (text, in quotes: "...")',
            "destinations.archive.port: is missing (a whole number from 1 up to 65535)",
        ]

    def test_a_destination_needs_a_name(self, faults):
        assert any('destinations."": "" is not a name' in line for line in faults(
            '[destinations.""]\naet = "A"\nhost = "h"\nport = 104'
        ))  # fmt: skip

    def test_an_unknown_syntax_of_a_destination_is_a_fault(self, faults):
        (line,) = faults(PACS + 'syntaxes = ["jpg"]')
        assert line.startswith('destinations.pacs-east.syntaxes[1]: "jpg" matches no')

    def test_a_destination_without_any_syntax_is_a_fault(self, faults):
        (line,) = faults(PACS + "syntaxes = []")
        assert "names no syntax: nothing could be sent" in line

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ("quality = 101", "101 is too large (a whole number from 1 up to 100)"),
            ("ratio = 1", "1 is too small (a number above 1)"),
            ("ratio = inf", "Infinity is not a number that can be measured (a number above 1)"),
            ("max_error = 0", "0 is too small (a whole number from 1)"),
            ("minimum_psnr_db = -1", "-1 is too small (a number above 0)"),
            (
                'unused_bits = "keep"',
                '"keep" is not one of the choices ("refuse" or "clear")',
            ),
            (
                'photometric = "MONOCHROME1"',
                '"MONOCHROME1" is not one of the choices ("RGB" or "YBR_FULL" or "YBR_FULL_422"'
                ' or "YBR_RCT" or "YBR_ICT")',
            ),
        ],
    )
    @pytest.mark.parametrize("table", ["codecs", "destinations.pacs-east.transcode"])
    def test_an_option_of_transcoding_is_checked_alike_everywhere(
        self, faults, table, option, said
    ):
        (line,) = faults(f"{PACS}[{table}]\n{option}")
        assert line == f"{table}.{option.split(' ')[0]}: {said}"

    def test_a_long_value_is_shortened(self, faults):
        (line,) = faults(f'dicom.aet = "{"A" * 1000}"')
        assert len(line) < 150


class TestFaultsOfTheEnvironment:
    def test_a_wrong_value_names_the_variable(self, faults):
        assert faults("", GATEWAY_DICOM__PORT="http") == [
            'GATEWAY_DICOM__PORT: "http" is not a whole number (a whole number from 0 up to 65535)'
        ]

    def test_a_wrong_value_in_a_table_names_the_variable_and_the_key(self, faults):
        assert faults("", GATEWAY_CODECS="{processes = -1}") == [
            "GATEWAY_CODECS: processes: -1 is too small (a whole number from 0)"
        ]

    def test_an_unknown_variable_is_a_fault_with_a_suggestion(self, faults):
        assert faults("", GATEWAY_DICOM__PROT="1") == [
            "GATEWAY_DICOM__PROT: sets no key that exists (did you mean GATEWAY_DICOM__PORT?)"
        ]

    def test_a_single_underscore_is_recognised(self, faults):
        assert faults("", GATEWAY_DICOM_CHECK_CALLED_AET="true") == [
            "GATEWAY_DICOM_CHECK_CALLED_AET: sets no key that exists"
            " (did you mean GATEWAY_DICOM__CHECK_CALLED_AET?)"
        ]

    @pytest.mark.parametrize("name", ["GATEWAY_", "GATEWAY___", "GATEWAY_DICOM__PORT__X"])
    def test_odd_names_are_faults_too(self, faults, name):
        (line,) = faults("", **{name: "1"})
        assert line.startswith(f"{name}: sets no key that exists")

    def test_a_value_cannot_smuggle_in_another_key(self, faults):
        (line,) = faults("", GATEWAY_DICOM__PORT="1\nhttp = 3")
        assert line.startswith("GATEWAY_DICOM__PORT: ")


class TestFaultsOfTheFile:
    def test_what_is_not_toml_names_file_and_line(self, faults, tmp_path):
        assert faults("[dicom]\naet = GATEWAY\n") == [
            f"{tmp_path / 'gateway.toml'}:2: is not TOML: Invalid value at column 7"
            " (text needs quotes, lists need [ ])"
        ]

    def test_an_unfinished_file_is_said_to_be_so(self, faults, tmp_path):
        (line,) = faults("[dicom")
        assert line.startswith(f"{tmp_path / 'gateway.toml'}")
        assert "is not TOML" in line

    def test_a_missing_file_is_one_fault(self, tmp_path):
        with pytest.raises(ConfigurationInvalid) as caught:
            load(tmp_path / "none.toml", {})
        assert str(caught.value) == (
            f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory"
        )

    def test_a_file_that_is_not_text_is_one_fault(self, tmp_path):
        (tmp_path / "g.toml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ConfigurationInvalid, match="is not text in UTF-8"):
            load(tmp_path / "g.toml", {})


class TestContradictions:
    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("dicom.allow_unknown_callers = false", "dicom.allow_unknown_callers"),
            ('dicom.syntaxes = {accept = ["j2k"], jpeg2000 = false}', "dicom.syntaxes.accept"),
            ("dicom.syntaxes.accept = []", "dicom.syntaxes.accept"),
            ("http.port = 11112", "http.port"),
            ("retry.maximum_delay_s = 1", "retry.maximum_delay_s"),
            ('http.certificate = "a.crt"', "http.private_key"),
            ('http.private_key = "a.key"', "http.certificate"),
            (PACS + PACS.replace("pacs-east", "PACS-East"), "destinations.PACS-East"),
            (PACS.replace("pacs.example", "127.0.0.1").replace("104", "11112"),
             "destinations.pacs-east.host"),
            (PACS.replace("pacs.example", "localhost").replace("104", "11112"),
             "destinations.pacs-east.host"),
        ],
    )  # fmt: skip
    def test_keys_that_contradict_each_other_are_a_fault(self, faults, text, where):
        (line,) = faults(text)
        assert line.startswith(f"{where}: ")

    def test_a_contradiction_by_a_variable_names_it(self, faults):
        (line,) = faults("", GATEWAY_HTTP__PORT="11112")
        assert line.startswith("GATEWAY_HTTP__PORT: 11112 is dicom.port as well")

    @pytest.mark.parametrize(
        "text",
        [
            "http = {port = 11112, enabled = false}",
            "dicom.port = 0\nhttp.port = 0",
            'dicom.host = "10.0.0.1"\nhttp.port = 11112',
            PACS.replace("104", "11112"),
            'dicom.host = "10.0.0.1"\n'
            + PACS.replace("pacs.example", "127.0.0.1").replace("104", "11112"),
        ],
    )
    def test_what_only_looks_like_a_contradiction_is_accepted(self, read, text):
        read(text)


class TestPasswords:
    @pytest.mark.parametrize(
        "text",
        [
            "http.users.alice = 20261122",
            'http.users = "alice:20261122"',
            'http.users = ["20261122"]',
            'http.users.alice = {password = "20261122"}',
            'http.users.alice = ["20261122"]',
        ],
    )
    def test_a_fault_does_not_show_a_password(self, faults, text):
        (line,) = faults(text)
        assert line.startswith("http.users")
        assert "20261122" not in line

    def test_an_empty_password_is_a_fault(self, faults):
        assert faults('http.users.alice = ""') == [
            "http.users.alice: what is given is not a password (at least one character)"
        ]

    def test_a_password_can_come_from_a_variable_and_is_not_shown(self, read):
        http = read("", GATEWAY_HTTP__USERS__ALICE="20261122").http
        assert http.users["alice"].get_secret_value() == "20261122"
        assert "20261122" not in repr(http) + http.model_dump_json()


class TestInspect:
    def test_sections_without_fault_are_kept_beside_others(self, tmp_path):
        file = tmp_path / "gateway.toml"
        file.write_text('[dicom]\nport = "x"\n[scripts]\nfolder = "lua"\n')
        configuration, faults = inspect(file, {})
        assert [fault.where for fault in faults] == ["dicom.port"]
        assert configuration.scripts.folder == tmp_path / "lua"
        assert configuration.dicom.port == 11112

    def test_variables_are_inspected_although_the_file_cannot_be_read(self, tmp_path):
        _, faults = inspect(tmp_path / "none.toml", {"GATEWAY_FOO": "1"})
        assert [fault.where for fault in faults] == [str(tmp_path / "none.toml"), "GATEWAY_FOO"]
