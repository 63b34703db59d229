"""What Orthanc is configured with means the same to us, or it is said that it does not."""

import json
import os
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.loader import load
from gateway.config.models import Caller, Configuration, Destination
from gateway.config.orthanc_json import read
from gateway.config.orthanc_keys import DEFAULTS, IGNORED, OPTIONAL, known_keys
from gateway.config.orthanc_loader import Inspected, as_toml, inspect_orthanc, load_orthanc
from gateway.errors import ConfigurationInvalid

ORTHANC = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
DOCUMENT = Path(__file__).parents[3] / "docs" / "moving-from-orthanc.md"


@pytest.fixture
def inspected(tmp_path):
    """`inspected(Key=value)`: a file of these keys, read, with whatever is to be said."""

    def inspected(**keys: Any) -> Inspected:
        path = tmp_path / "orthanc.json"
        path.write_text(json.dumps(keys))
        return inspect_orthanc([path], {})

    return inspected


@pytest.fixture
def imported(inspected):
    """`imported(Key=value)`: the configuration that a file of these keys means."""

    def imported(**keys: Any) -> Configuration:
        found = inspected(**keys)
        assert found.faults == ()
        return found.configuration

    return imported


@pytest.fixture
def faults(inspected, tmp_path):
    """`faults(Key=value)`: what is wrong with it, without the file and its line."""

    def faults(**keys: Any) -> list[str]:
        prefix = f"{tmp_path / 'orthanc.json'}:1: "
        return [str(fault).removeprefix(prefix) for fault in inspected(**keys).faults]

    return faults


@pytest.fixture
def notes(inspected, tmp_path):
    """`notes(Key=value)`: what is to be known of it; not where its data goes."""

    def notes(**keys: Any) -> list[str]:
        prefix = f"{tmp_path / 'orthanc.json'}:1: "
        found = [str(note).removeprefix(prefix) for note in inspected(**keys).notes]
        return [note for note in found if not note.startswith("StorageDirectory")]

    return notes


def place(configuration: Configuration, name: str) -> Any:
    value: Any = configuration
    for part in name.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@pytest.mark.parametrize(
    ("keys", "name", "expected"),
    [
        ({}, "dicom.aet", "ORTHANC"),
        ({}, "dicom.port", 4242),
        ({}, "dicom.idle_timeout_s", 30),
        ({}, "dicom.ignore_case_of_aets", True),
        ({}, "store.duplicates", "discard"),
        ({}, "http.host", "127.0.0.1"),
        ({}, "http.users", {}),
        ({}, "rest.name", ""),
        ({"DicomAet": "ROUTER"}, "dicom.aet", "ROUTER"),
        ({"DicomPort": 104}, "dicom.port", 104),
        ({"DicomCheckCalledAet": True}, "dicom.check_called_aet", True),
        ({"StrictAetComparison": True}, "dicom.ignore_case_of_aets", False),
        ({"DicomServerEnabled": False}, "dicom.enabled", False),
        ({"DicomScpTimeout": 5}, "dicom.idle_timeout_s", 5),
        ({"DicomScpTimeout": 0}, "dicom.idle_timeout_s", 604800),
        ({"MaximumPduLength": 4096}, "dicom.maximum_pdu_bytes", 4096),
        ({"UnknownSopClassAccepted": True}, "dicom.accept_unknown_sop_classes", True),
        ({"DefaultEncoding": "utf8"}, "dicom.default_encoding", "Utf8"),
        ({"Jpeg2000TransferSyntaxAccepted": False}, "dicom.syntaxes.jpeg2000", False),
        ({"RleTransferSyntaxAccepted": False}, "dicom.syntaxes.rle", False),
        ({"AcceptedTransferSyntaxes": ["1.2.840.10008.1.*"]}, "dicom.syntaxes.accept", ("*",)),
        ({"AcceptedTransferSyntaxes": "1.2.840.10008.1.2"}, "dicom.syntaxes.accept",
         ("1.2.840.10008.1.2",)),
        ({"HttpPort": 80}, "http.port", 80),
        ({"HttpServerEnabled": False}, "http.enabled", False),
        ({"HttpCompressionEnabled": False}, "http.compression", False),
        ({"ExecuteLuaEnabled": True}, "http.execute_lua", True),
        ({"RestApiWriteToFileSystemEnabled": True}, "http.write_files", True),
        ({"Name": "East"}, "rest.name", "East"),
        ({"CheckRevisions": True}, "rest.check_revisions", True),
        ({"UserMetadata": {"a": 1024}}, "rest.metadata", {"a": 1024}),
        ({"UserContentType": {"a": 1024}}, "rest.attachments.a.number", 1024),
        ({"UserContentType": {"a": [1025, "text/plain"]}}, "rest.attachments.a.media_type",
         "text/plain"),
        ({"ConcurrentJobs": 0}, "jobs.concurrent", 0),
        ({"JobsHistorySize": 3}, "jobs.history", 3),
        ({"SaveJobs": False}, "jobs.durable", False),
        ({"StableAge": 5}, "store.stable_age_s", 5),
        ({"OverwriteInstances": True}, "store.duplicates", "overwrite"),
        ({"MaximumStorageSize": 100}, "store.maximum_size_mb", 100),
        ({"MaximumPatientCount": 7}, "store.maximum_patients", 7),
        ({"MaximumStorageMode": "Reject"}, "store.when_full", "reject"),
        ({"IngestTranscoding": "1.2.840.10008.1.2.4.90"}, "store.transcode.to",
         "JPEG2000Lossless"),
        ({"IngestTranscodingOfCompressed": False}, "store.transcode.compressed", False),
        ({"IngestTranscodingOfUncompressed": False}, "store.transcode.uncompressed", False),
        ({"DicomLossyTranscodingQuality": 80}, "codecs.quality", 80),
        ({"LuaHeartBeatPeriod": 9}, "scripts.heartbeat_s", 9),
        ({"HttpTimeout": 9}, "scripts.http_timeout_s", 9),
        ({"HttpTimeout": 0}, "scripts.http_timeout_s", 60),
        ({"Dictionary": {"00E1,c2": ["UI", "A B", 1, 1, "ELSCINT1"]}}, "dictionary.00e1,c2.creator",
         "ELSCINT1"),
        ({"Dictionary": {"0014,1099": ["LO", "A", 1, 1]}}, "dictionary.0014,1099.name", "A"),
    ],
)  # fmt: skip
def test_a_key_becomes_ours(imported, keys, name, expected):
    assert place(imported(**keys), name) == expected


def test_groups_of_syntaxes_without_a_switch_of_ours_are_left_out(imported):
    accepted = imported(Mpeg4TransferSyntaxAccepted=False).dicom.syntaxes.accept
    assert "1.2.840.10008.1.2.4.102" not in accepted
    assert {"1.2.840.10008.1.2.4.107", "1.2.840.10008.1.2"} <= set(accepted)


def test_what_the_files_say_is_kept_for_scripts_and_nothing_else(imported):
    keys = {"HttpPort": 1234, "MyOwn": {"list": [1, 2.5, True, "x"]}}
    assert imported(**keys).orthanc == keys


def test_paths_start_at_the_folder_of_the_file(imported, tmp_path):
    (tmp_path / "lua").mkdir()
    for name in ("a.lua", "b.lua"):
        (tmp_path / "lua" / name).touch()
    found = imported(StorageDirectory="db", LuaScripts=["lua/b.lua", "lua/a.lua"])
    assert found.store.folder == tmp_path / "db" / "gateway"
    assert found.scripts.legacy == (tmp_path / "lua" / "b.lua", tmp_path / "lua" / "a.lua")
    # In no folder in which legacy scripts may lie: they would run twice.
    assert found.scripts.folder == tmp_path / "db" / "gateway" / "scripts"


def test_it_is_said_where_data_goes(inspected, tmp_path):
    (note,) = inspected(StorageDirectory="/var/lib/orthanc").notes
    assert str(note) == (
        f"{tmp_path / 'orthanc.json'}:1: StorageDirectory: data is kept in"
        " /var/lib/orthanc/gateway; what Orthanc has stored is neither read nor changed"
    )


class TestModalities:
    def test_a_list_and_an_object_are_the_same(self, imported):
        as_list = imported(DicomModalities={"a": ["A", "h", 104, "Vitrea"]})
        as_object = imported(
            DicomModalities={
                "a": {"AET": "A", "Host": "h", "Port": "104", "Manufacturer": "Vitrea"}
            }
        )
        assert as_list.destinations == as_object.destinations == {
            "a": Destination(
                aet="A", host="h", port=104, manufacturer="Vitrea", linger_s=5,
                connect_timeout_s=10, acse_timeout_s=10, dimse_timeout_s=10,
            )
        }  # fmt: skip

    def test_nothing_of_an_object_is_lost(self, imported):
        modality = {
            "AET": "A", "Host": "h", "Port": 104, "LocalAet": "ME", "Timeout": 60,
            "AllowTranscoding": False, "AllowFind": False, "AllowStorageCommitment": False,
        }  # fmt: skip
        found = imported(DicomModalities={"a": modality}, DicomAssociationCloseDelay=9)
        assert found.destinations["a"] == Destination(
            aet="A", host="h", port=104, calling_aet="ME", linger_s=9, may_transcode=False,
            connect_timeout_s=60, acse_timeout_s=60, dimse_timeout_s=60,
            forbidden=frozenset({"Find", "EventReport", "NAction"}),
        )  # fmt: skip

    def test_transcoding_can_be_forbidden_for_all(self, imported):
        found = imported(DicomModalities={"a": ["A", "h", 104]}, TranscodeDicomProtocol=False)
        assert not found.destinations["a"].may_transcode

    def test_the_preferred_syntax_comes_after_that_as_stored(self, imported):
        found = imported(
            DicomModalities={"a": ["A", "h", 104]},
            DicomScuPreferredTransferSyntax="1.2.840.10008.1.2.4.90",
            DicomScuTimeout=0,
        )
        assert found.destinations["a"].syntaxes == ("*", "1.2.840.10008.1.2.4.90")
        assert found.destinations["a"].dimse_timeout_s == 604800

    def test_an_older_name_of_a_manufacturer_is_known(self, imported):
        found = imported(DicomModalities={"a": ["A", "h", 104, "SyngoVia"]})
        assert found.destinations["a"].manufacturer == "GenericNoWildcardInDates"

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"a b": ["A", "h", 104]}, "DicomModalities: 'a b' is not a name"),
            ({"a": ["A", "h"]}, "DicomModalities: a is neither an object nor"),
            ({"a": "x"}, "DicomModalities: a is neither an object nor"),
            ({"a": ["A", "h", 104, "Nope"]}, "DicomModalities: a.Manufacturer: 'Nope'"),
            ({"a": ["A", "h", 70000]}, "DicomModalities.a.port: 70000 is too large"),
            ({"a": {"AET": "A", "Host": "h"}}, "DicomModalities.a.port: is missing"),
            ({"a": ["SEVENTEENCHARACTERS", "h", 1]}, "DicomModalities.a.aet: "),
            ({"a": {"AET": "A", "Host": "h", "Port": 1, "AllowEcho": "true"}},
             "DicomModalities: a.AllowEcho: is not true or false"),
            ({"a": {"AET": "A", "Host": "h", "Port": 1, "Timeout": "5"}},
             "DicomModalities: a.Timeout: is not a whole number"),
            ({"a": {"AET": "A", "Host": "h", "Port": 1, "UseDicomTls": True}},
             "DicomModalities: a.UseDicomTls: DICOM over TLS is not offered"),
            ([], "DicomModalities: is not an object"),
        ],
    )  # fmt: skip
    def test_a_modality_that_is_wrong_is_a_fault(self, faults, value, said):
        (fault,) = faults(DicomModalities=value)
        assert fault.startswith(said)

    def test_modalities_of_the_database_are_not_read(self, notes, imported):
        keys = {"DicomModalitiesInDatabase": True, "DicomModalities": {"a": ["A", "h", 104]}}
        assert imported(**keys).destinations == {}
        (note,) = notes(**keys)
        assert "the database of Orthanc is not read" in note


class TestCallers:
    MODALITIES: ClassVar = {
        "a": ["A", "10.1.2.3", 104],
        "b": {"AET": "B", "Host": "10.1.2.4", "Port": 104, "AllowStore": False},
    }

    def test_everybody_may_store_and_echo_unless_told_otherwise(self, imported):
        dicom = imported(DicomModalities=self.MODALITIES).dicom
        assert (dicom.allow_unknown_callers, dicom.callers) == (True, ())

    def test_only_modalities_may_store_when_it_is_not_always_allowed(self, imported):
        dicom = imported(DicomModalities=self.MODALITIES, DicomAlwaysAllowStore=False).dicom
        assert dicom.unknown_callers_may == {"echo"}
        assert dicom.callers == (Caller(aet="A"), Caller(aet="B", allow=frozenset({"echo"})))

    def test_only_modalities_may_call_when_nothing_is_always_allowed(self, imported):
        dicom = imported(
            DicomModalities=self.MODALITIES, DicomAlwaysAllowStore=False, DicomAlwaysAllowEcho=False
        ).dicom
        assert not dicom.allow_unknown_callers
        assert [caller.aet for caller in dicom.callers] == ["A", "B"]

    def test_their_addresses_count_when_they_are_to_be_checked(self, imported):
        keys = {"DicomAlwaysAllowStore": False, "DicomCheckModalityHost": True}
        callers = imported(DicomModalities={"a": self.MODALITIES["a"]}, **keys).dicom.callers
        assert callers == (
            Caller(aet="A", allow=frozenset({"echo"})),
            Caller(aet="A", networks=(IPv4Network("10.1.2.3/32"),)),
        )

    def test_a_name_is_no_address_to_check(self, faults):
        keys = {"DicomAlwaysAllowStore": False, "DicomCheckModalityHost": True}
        assert any(
            "a.Host: is not an address" in fault
            for fault in faults(DicomModalities={"a": ["A", "ct1.example", 104]}, **keys)
        )

    def test_where_nobody_could_call_nothing_is_received(self, imported):
        dicom = imported(DicomAlwaysAllowStore=False, DicomAlwaysAllowEcho=False).dicom
        assert not dicom.enabled


class TestUsers:
    def test_nobody_signs_in_on_the_same_machine(self, imported):
        assert imported(RegisteredUsers={"a": "b"}).http.users == {}

    def test_everybody_does_as_soon_as_others_may_connect(self, imported):
        http = imported(RegisteredUsers={"a": "b"}, RemoteAccessAllowed=True).http
        assert {name: each.get_secret_value() for name, each in http.users.items()} == {"a": "b"}
        assert (http.remote_access, http.host) == (True, "0.0.0.0")

    def test_unless_it_is_switched_off(self, imported, notes):
        keys = {
            "RegisteredUsers": {"a": "b"},
            "RemoteAccessAllowed": True,
            "AuthenticationEnabled": False,
        }  # fmt: skip
        assert imported(**keys).http.users == {}
        assert any("nobody is asked for a password" in note for note in notes(**keys))

    def test_without_any_user_the_one_of_orthanc_is_let_in_and_that_is_said(self, imported, notes):
        http = imported(RemoteAccessAllowed=True).http
        assert list(http.users) == ["orthanc"]
        assert any("is not safe" in note for note in notes(RemoteAccessAllowed=True))

    def test_where_nobody_could_sign_in_there_is_no_http(self, imported):
        assert not imported(AuthenticationEnabled=True).http.enabled


def test_a_certificate_holds_its_key_as_well(imported, tmp_path):
    http = imported(SslEnabled=True, SslCertificate="c.pem").http
    assert http.certificate == http.private_key == tmp_path / "c.pem"


class TestPeers:
    def test_a_list_and_an_object_are_the_same(self, imported):
        as_list = imported(OrthancPeers={"p": ["http://h:8042", "u", "s"]})
        peer = {"Url": "http://h:8042/", "Username": "u", "Password": "s"}
        assert as_list.peers == imported(OrthancPeers={"p": peer}).peers

    def test_nothing_of_an_object_is_lost(self, imported, tmp_path):
        peer = imported(
            OrthancPeers={
                "p": {
                    "Url": "https://h/", "HttpHeaders": {"Token": "t"}, "Timeout": 5,
                    "CertificateFile": "c.crt", "CertificateKeyFile": "c.key",
                    "CertificateKeyPassword": "pw", "Pkcs11": False, "Remark": "x",
                }
            }
        ).peers["p"]  # fmt: skip
        assert peer.headers["Token"].get_secret_value() == "t"
        assert (peer.timeout_s, peer.properties) == (5, {"Remark": "x"})
        assert (peer.certificate, peer.private_key) == (tmp_path / "c.crt", tmp_path / "c.key")
        assert peer.private_key_password.get_secret_value() == "pw"

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"p": ["http://h", "u"]}, "OrthancPeers: p is neither an object nor"),
            ({"p": ["ftp://h"]}, "OrthancPeers.p.url: "),
            ({"p": {"Url": "http://h", "Pkcs11": True}}, "OrthancPeers: p.Pkcs11: smart cards"),
        ],
    )
    def test_a_peer_that_is_wrong_is_a_fault(self, faults, value, said):
        (fault,) = faults(OrthancPeers=value)
        assert fault.startswith(said)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"StableAge": "5"}, "StableAge: is not a whole number, without quotes"),
        ({"StableAge": 5.0}, "StableAge: is not a whole number, without quotes"),
        ({"StableAge": True}, "StableAge: is not a whole number, without quotes"),
        ({"StableAge": None}, "StableAge: is not a whole number, without quotes"),
        ({"StableAge": -5}, "StableAge: -5 is below 0"),
        ({"DicomCheckCalledAet": "true"}, "DicomCheckCalledAet: is not true or false"),
        ({"DicomCheckCalledAet": 1}, "DicomCheckCalledAet: is not true or false"),
        ({"DicomAet": 3}, "DicomAet: is not text"),
        ({"DicomAet": "SEVENTEENCHARACTERS"}, "DicomAet: "),
        ({"LuaScripts": "a.lua"}, "LuaScripts: is not a list of texts"),
        ({"LuaScripts": ["none.lua"]}, "LuaScripts: "),
        ({"DefaultEncoding": "Nope"}, "DefaultEncoding: "),
        ({"IngestTranscoding": "nope"}, "IngestTranscoding: "),
        ({"DicomLossyTranscodingQuality": 101}, "DicomLossyTranscodingQuality: 101 is too large"),
        ({"UserMetadata": {"a": 5}}, "UserMetadata.a: 5 is too small"),
        ({"Dictionary": {"0010,0010": ["PN", "Mine", 1, 1]}}, "Dictionary.0010,0010.name: "),
        ({"Dictionary": {"0014,1099": ["ZZ", "A", 1, 1]}}, "Dictionary.0014,1099.vr: "),
        ({"Dictionary": {"0014,1099": ["LO"]}}, "Dictionary: 0014,1099 is not [VR, name,"),
        ({"MaximumStorageMode": "Nope"}, "MaximumStorageMode: Nope is not a mode"),
        ({"MaximumPduLength": 100}, "MaximumPduLength: 100 is too small"),
    ],
)
def test_a_value_that_orthanc_refuses_is_a_fault_of_its_key(faults, keys, said):
    (fault,) = faults(**keys)
    assert fault.startswith(said)


def test_all_faults_come_at_once_typed(tmp_path):
    path = tmp_path / "orthanc.json"
    path.write_text('{"StableAge": "5",\n"HttpPort": 70000, "DicomAet": ""}')
    with pytest.raises(ConfigurationInvalid) as caught:
        load_orthanc([path], {"GATEWAY_LOG__LEVEL": "loud"})
    assert {fault.where.removeprefix(str(path)) for fault in caught.value.faults} == {
        ":1: StableAge", ":2: HttpPort", ":2: DicomAet", "GATEWAY_LOG__LEVEL",
    }  # fmt: skip


def test_the_environment_still_overrides_keys_of_ours(tmp_path):
    (tmp_path / "orthanc.json").write_text('{"DicomPort": 104}')
    found, _ = load_orthanc([tmp_path / "orthanc.json"], {"GATEWAY_DICOM__PORT": "105"})
    assert found.dicom.port == 105


class TestNotes:
    def test_a_key_that_says_what_orthanc_does_anyway_is_not_worth_a_note(self, notes):
        assert notes(**{key: each.default for key, each in IGNORED.items()}) == []

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            (
                {"HttpsVerifyPeers": False},
                "HttpsVerifyPeers: not supported: certificates are always",
            ),
            ({"DicomTlsEnabled": True}, "DicomTlsEnabled: not supported: DICOM over TLS"),
            ({"Plugins": ["/usr/share"]}, "Plugins: not supported: plugins of Orthanc do not run"),
            ({"DicomWeb": {}}, "DicomWeb: configures a plugin of Orthanc"),
            ({"MyOwn": 1}, "MyOwn: Orthanc 1.10.1 does not know this key"),
        ],
    )
    def test_what_is_not_supported_is_said_with_what_that_means(self, notes, keys, said):
        (note,) = notes(**keys)
        assert note.startswith(said)

    def test_a_variable_that_is_not_set_is_told(self, notes):
        (note,) = notes(Mine="${SURELY_NOT_SET}", MyOther=1)[-1:]
        assert "${SURELY_NOT_SET} is not set, and stands for nothing" in note


def test_every_key_is_of_one_kind():
    kinds = (set(DEFAULTS), set(OPTIONAL), set(IGNORED))
    assert sum(map(len, kinds)) == len(set().union(*kinds)) == len(known_keys())


def test_the_document_tells_of_every_key():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert [key for key in sorted(known_keys()) if f"`{key}`" not in document] == []


texts = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=6,
)


@given(
    orthanc=st.fixed_dictionaries(
        {},
        optional={
            "Mine": values,
            "DicomAet": st.sampled_from(["A", "ROUTER 1"]),
            "HttpPort": st.integers(1, 4000),
            "RemoteAccessAllowed": st.booleans(),
            "RegisteredUsers": st.dictionaries(
                st.text("aä'\"\\.", min_size=1), st.text("b#\n", min_size=1)
            ),
            "DicomAlwaysAllowStore": st.booleans(),
            "DicomModalities": st.dictionaries(
                st.from_regex(r"[a-z0-9_-]+", fullmatch=True), st.just(["A", "h", 104])
            ),
            "OrthancPeers": st.just({"p": {"Url": "http://h", "Remark": "x", "Password": "s"}}),
            "Dictionary": st.just({"00e1,c2": ["UI", "A B", 1, 1, "ELSCINT1"]}),
        },
    )
)
def test_the_toml_that_is_written_means_the_same(tmp_path_factory, orthanc):
    folder = tmp_path_factory.mktemp("same")
    (folder / "orthanc.json").write_text(json.dumps(orthanc))
    found = inspect_orthanc([folder / "orthanc.json"], {})
    assert found.faults == ()
    (folder / "gateway.toml").write_text(as_toml(found), encoding="utf-8")
    assert load(folder / "gateway.toml", {}) == found.configuration


def test_notes_are_comments_on_top_of_the_toml(inspected):
    lines = as_toml(inspected(MyOwn=1, StorageDirectory="/a")).splitlines()
    assert any(line.startswith("# ") and "MyOwn" in line for line in lines[:4])


def test_null_in_a_list_cannot_be_written_as_toml(inspected):
    with pytest.raises(ConfigurationInvalid, match="has null in a list"):
        as_toml(inspected(Mine=[None]))


@pytest.mark.peer
@pytest.mark.skipif(ORTHANC is None, reason="Orthanc is not installed")
class TestRealOrthanc:
    @pytest.fixture
    def generated(self, tmp_path) -> Path:
        path = tmp_path / "generated.json"
        subprocess.run([str(ORTHANC), f"--config={path}"], check=True, capture_output=True)
        return path

    def test_its_own_file_is_read_without_faults_and_every_key_is_known(self, generated):
        assert read([generated], {}).entries.keys() <= known_keys()
        found = inspect_orthanc([generated], {})
        assert found.faults == ()
        assert ["StorageDirectory" in note.where for note in found.notes] == [True]

    def test_it_assumes_what_we_think_it_does(self, generated):
        given = read([generated], {}).content
        ours = DEFAULTS | {key: each.default for key, each in IGNORED.items()}
        assert {key: given[key] for key in given.keys() & ours.keys()} == {
            key: ours[key] for key in given.keys() & ours.keys()
        }

    @pytest.mark.skipif(not Path("/etc/orthanc").is_dir(), reason="no /etc/orthanc")
    def test_the_folder_of_debians_package_is_read_without_faults(self):
        assert inspect_orthanc([Path("/etc/orthanc")], {}).faults == ()
