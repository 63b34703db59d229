"""Clients that sites use with Orthanc, as their documents show them, on a gateway."""

import datetime
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest
from gateway_process import ENVIRONMENT, GatewayProcess
from images import made_ct, save
from orthanc_api_client import InstancesSet, OrthancApiClient, helpers
from orthanc_api_client.exceptions import NotAuthorized, ResourceNotFound
from pydicom import dcmread
from pyorthanc import Modality, Orthanc, find_instances, find_patients, find_series, find_studies
from pyorthanc import upload as pyorthanc_upload
from pyorthanc.jobs import Job

pytestmark = pytest.mark.slow
USER, PASSWORD = "orthanc", "secret"
SIGN_IN = f"http.users = {{ {USER} = '{PASSWORD}' }}\n"


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """A gateway, and a second one that is a modality and a peer of the first."""
    folder = tmp_path_factory.mktemp("clients")
    with GatewayProcess(folder / "b", "dicom.aet = 'ORTHANCB'\n" + SIGN_IN) as other:
        modality = f"destinations.orthanc-b = {{ aet = 'ORTHANCB', port = {other.port}, "
        toml = modality + "host = '127.0.0.1' }\n" + SIGN_IN
        with GatewayProcess(folder / "a", toml) as gateway:
            yield gateway, other


@pytest.fixture
def url(servers):
    """Of the first one, which is empty."""
    gateway, other = servers
    for each in (gateway, other):
        api = OrthancApiClient(url_of(each), user=USER, pwd=PASSWORD)
        api.delete_all_content()
        assert api.instances.get_all_ids() == []
    return url_of(gateway)


def url_of(gateway):
    return f"http://localhost:{gateway.http_port}"


@pytest.fixture
def files(tmp_path):
    """Two patients; the second one has two images of one series."""
    folder = tmp_path / "files"
    folder.mkdir()
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1"}
    first = made_ct(1, PatientID="P1", PatientName="Alpha^Ann", StudyDate="20220103")
    save(first, folder / "1.dcm")
    for number in (2, 3):
        image = made_ct(
            number, PatientID="P2", PatientName="Beta^Bob", StudyDate="20220301",
            InstanceNumber=number, **study,
        )  # fmt: skip
        save(image, folder / f"{number}.dcm")
    return folder


@pytest.fixture
def archive(files, tmp_path):
    """The same in a zip file."""
    return Path(shutil.make_archive(str(tmp_path / "dicom_files"), "zip", files))


# --- curl ----------------------------------------------------------------------------------------


@pytest.fixture
def curl(url):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")

    def run(path: str, *options: str) -> bytes:
        command = ["curl", "--silent", "--show-error", "--fail", "--user", f"{USER}:{PASSWORD}"]
        done = subprocess.run(
            [*command, *options, url + path], env=ENVIRONMENT, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def test_curl_uploads_looks_and_downloads(curl, files, tmp_path):
    """The first page of the Orthanc Book about REST."""
    for path in sorted(files.iterdir()):  # -d @file would change line ends: --data-binary does not
        sent = ["-X", "POST", "-H", "Expect:", "--data-binary", f"@{path}"]
        assert json.loads(curl("/instances", *sent))["Status"] == "Success"
    assert len(json.loads(curl("/patients"))) == 2
    instance_id = json.loads(curl("/instances"))[0]
    saved = tmp_path / "Instance.dcm"
    curl(f"/instances/{instance_id}/file", "--output", str(saved))
    assert dcmread(saved).PatientID == "P1"
    name = json.loads(curl(f"/instances/{instance_id}/simplified-tags"))["PatientName"]
    assert name == "Alpha^Ann"
    assert curl(f"/instances/{instance_id}/content/0010-0010").strip() == b"Alpha^Ann"
    study_id = json.loads(curl("/studies"))[0]
    zipped = curl(f"/studies/{study_id}/archive", "--compressed")
    assert len(zipfile.ZipFile(io.BytesIO(zipped)).namelist()) == 1
    curl(f"/studies/{study_id}", "-X", "DELETE")
    assert len(json.loads(curl("/patients"))) == 1


def test_curl_finds_and_anonymizes(curl, archive):
    """With a zip file, Expect: 100-continue and chunks."""
    chunked = ["-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue"]
    curl("/instances", *chunked, "-X", "POST", "--data-binary", f"@{archive}")
    query = '{"Level":"Study","Query":{"PatientID":"P2"}}'
    (study_id,) = json.loads(curl("/tools/find", "-d", query))
    replaced = '{"Replace":{"PatientName":"hello","0010-1001":"world"},"Keep":["StudyDescription"]}'
    made = json.loads(curl(f"/studies/{study_id}/anonymize", "-X", "POST", "-d", replaced))
    series = json.loads(curl(f"/studies/{made['ID']}/series"))
    assert [len(each["Instances"]) for each in series] == [2]
    tags = json.loads(curl(f"/studies/{made['ID']}/shared-tags?simplify"))
    assert tags["PatientName"] == "hello"
    assert tags["OtherPatientNames"] == "world"


def test_curl_reads_a_part_of_a_file_and_its_head(curl, files):
    whole = (files / "1.dcm").read_bytes()
    made = json.loads(curl("/instances", "--data-binary", f"@{files / '1.dcm'}"))
    path = f"/instances/{made['ID']}/file"
    assert curl(path, "--range", "128-131") == b"DICM"
    assert curl(path, "--range", "-16") == whole[-16:]
    assert b"Content-Type: application/dicom" in curl(path, "--head")


def test_curl_sends_to_a_modality(curl, files, servers):
    made = json.loads(curl("/instances", "--data-binary", f"@{files / '1.dcm'}"))
    assert json.loads(curl("/modalities/orthanc-b/echo", "-X", "POST", "-d", "{}")) == {}
    sent = json.loads(curl("/modalities/orthanc-b/store", "-X", "POST", "-d", made["ID"]))
    assert sent["FailedInstancesCount"] == 0
    assert instances_of(servers[1]) == [made["ID"]]


def instances_of(gateway):
    return OrthancApiClient(url_of(gateway), user=USER, pwd=PASSWORD).instances.get_all_ids()


# --- pyorthanc -----------------------------------------------------------------------------------


@pytest.fixture
def client(url):
    with Orthanc(url, username=USER, password=PASSWORD) as client:
        yield client


def test_pyorthanc_uploads_whatever_it_is_given(client, files, archive):
    assert len(pyorthanc_upload(client, str(files / "1.dcm"))) == 1
    assert len(pyorthanc_upload(client, str(archive))) == 3
    assert len(pyorthanc_upload(client, str(files), recursive=True)) == 3
    kept = pyorthanc_upload(client, str(files), recursive=True, check_before_upload=True)
    assert {each.id_ for each in kept} == set(client.get_instances())
    assert len(pyorthanc_upload(client, dcmread(files / "2.dcm"))) == 1
    assert [len(client.get_patients()), len(client.get_studies())] == [2, 2]


def test_pyorthanc_finds_and_goes_down_to_the_data_set(client, files):
    pyorthanc_upload(client, str(files))
    (patient,) = find_patients(client, query={"PatientName": "beta*"})
    assert (patient.name, patient.patient_id) == ("Beta^Bob", "P2")
    patient.add_label("research")
    assert patient.labels == ["research"]
    assert [p.id_ for p in find_patients(client, query={}, labels=["research"])] == [patient.id_]
    (study,) = patient.studies
    assert study.date.date() == datetime.date(2022, 3, 1)
    assert not study.is_stable
    (series,) = study.series
    assert (series.modality, len(series.instances)) == ("CT", 2)
    for instance in series.instances:
        assert instance.get_pydicom().PatientName == "Beta^Bob"
        assert instance.tags["0010,0020"]["Value"] == "P2"
        assert instance.parent_study.id_ == study.id_
    assert len(find_studies(client, query={"StudyDate": "20220101-20220228"})) == 1
    assert len(find_series(client, query={"Modality": "CT"})) == 2
    assert len(find_instances(client, query={"InstanceNumber": "2"})) == 1


def test_pyorthanc_anonymizes_modifies_and_downloads(client, files, tmp_path):
    pyorthanc_upload(client, str(files))
    (study,) = find_studies(client, query={"PatientID": "P2"})
    anonymous = study.anonymize(replace={"PatientName": "Nobody"})
    assert anonymous.patient_information["PatientName"] == "Nobody"
    job = study.modify_as_job(replace={"StudyDescription": "Made anew"})
    assert isinstance(job, Job)
    job.wait_until_completion(0.05)
    assert job.state.value == "Success"
    made = client.get_studies_id(job.content["ID"])
    assert made["MainDicomTags"]["StudyDescription"] == "Made anew"
    study.download(str(tmp_path / "study.zip"))
    assert len(zipfile.ZipFile(tmp_path / "study.zip").namelist()) == 2
    assert len(zipfile.ZipFile(io.BytesIO(study.get_zip())).namelist()) == 2


def test_pyorthanc_echoes_and_stores(client, files, servers):
    (instance,) = pyorthanc_upload(client, str(files / "1.dcm"))
    modality = Modality(client, "orthanc-b")
    assert modality.echo()
    assert modality.store(instance.id_)["InstancesCount"] == 1
    assert instances_of(servers[1]) == [instance.id_]


def test_pyorthanc_follows_changes_and_the_system(client, files):
    before = client.get_changes(params={"last": True})["Last"]
    pyorthanc_upload(client, str(files / "1.dcm"))
    changes = client.get_changes(params={"since": before, "limit": 100})
    assert {"NewPatient", "NewStudy", "NewSeries", "NewInstance"} <= {
        change["ChangeType"] for change in changes["Changes"]
    }
    assert client.get_system()["ApiVersion"] > 0
    assert client.get_statistics()["CountInstances"] == 1
    assert client.get_tools_now().startswith("20")


def test_pyorthanc_is_told_what_is_not_there(client, url):
    with pytest.raises(httpx.HTTPError):
        client.get_patients_id("nobody")
    with Orthanc(url, username=USER, password="wrong") as stranger, pytest.raises(httpx.HTTPError):
        stranger.get_patients()


# --- orthanc-api-client --------------------------------------------------------------------------


@pytest.fixture
def api(url):
    return OrthancApiClient(url, user=USER, pwd=PASSWORD)


def test_orthanc_api_client_starts_and_uploads(api, files, archive):
    assert api.wait_started(timeout=20)
    assert api.is_alive()
    assert len(api.upload_file(str(files / "1.dcm"))) == 1
    assert len(api.upload_file(str(archive))) == 3
    assert len(api.upload_folder(str(files), ignore_errors=True)) == 3
    assert len(api.upload((files / "1.dcm").read_bytes())) == 1
    made = helpers.generate_test_dicom_file(width=128, height=128, tags={"PatientName": "Toto"})
    (instance_id,) = api.upload(made)
    assert api.instances.get_tags(instance_id)["PatientName"] == "Toto"
    assert api.get_statistics().studies_count == 3
    assert len(api.patients.get_all_ids()) == len(api.series.get_all_ids()) == 3


def test_orthanc_api_client_walks_through_resources(api, files, tmp_path):
    api.upload_folder(str(files))
    study_id = api.studies.lookup(dicom_id="1.2.3")
    assert api.lookup("1.2.3", filter="Study") == [study_id]
    study = api.studies.get(study_id)
    assert study.patient_main_dicom_tags.get("PatientID") == "P2"
    assert study.dicom_id == "1.2.3"
    (instance_id, _) = api.studies.get_instances_ids(study_id)
    assert api.instances.get_parent_study_id(instance_id) == study_id
    tags = api.instances.get_tags(instance_id)
    assert tags["PatientName"] == tags["0010,0010"] == tags["0010-0010"] == "Beta^Bob"
    patient_id = api.patients.lookup("P2")
    assert api.patients.get_studies_ids(patient_id) == [study_id]
    assert api.studies.get_modalities(study_id) == {"CT"}
    (series_id,) = api.studies.get_series_ids(study_id)
    assert len(api.series.get_instances_ids(series_id)) == 2
    found = api.studies.find(query={"PatientName": "B*", "StudyDate": "20220101-20221231"})
    assert [each.orthanc_id for each in found] == [study_id]
    api.studies.download_archive(study_id, str(tmp_path / "a.zip"))
    api.studies.download_media(study_id, str(tmp_path / "m.zip"))
    assert "DICOMDIR" in zipfile.ZipFile(tmp_path / "m.zip").namelist()


def test_orthanc_api_client_keeps_notes(api, files):
    (instance_id,) = api.upload_file(str(files / "1.dcm"))
    api.instances.set_string_metadata(orthanc_id=instance_id, metadata_name="1024", content="mine")
    assert api.instances.get_string_metadata(instance_id, "1024") == "mine"
    assert api.instances.get_string_metadata(instance_id, "1025", default_value="-") == "-"
    api.instances.set_attachment(instance_id, "1025", content="a report")
    assert api.instances.get_attachment(instance_id, "1025") == b"a report"
    api.instances.add_labels(instance_id, ["urgent", "night"])
    api.instances.delete_label(instance_id, "night")
    assert api.instances.get_labels(instance_id) == ["urgent"]


def test_orthanc_api_client_anonymizes_and_modifies(api, files):
    api.upload_folder(str(files))
    study_id = api.studies.lookup("1.2.3")
    anonymous = api.studies.anonymize(
        orthanc_id=study_id, keep_tags=["PatientName"], replace_tags={"PatientID": "ANON"},
        force=True, delete_original=False,
    )  # fmt: skip
    shown = api.studies.get(anonymous)
    assert shown.patient_main_dicom_tags.get("PatientID") == "ANON"
    assert shown.patient_main_dicom_tags.get("PatientName") == "Beta^Bob"


@pytest.mark.parametrize("name", ["send", "send_async"])
def test_orthanc_api_client_sends(api, files, servers, name):
    other = servers[1]
    api.upload_folder(str(files))
    study_id = api.studies.lookup("1.2.3")
    sent = getattr(api.modalities, name)(
        target_modality="orthanc-b", resources_ids=[study_id],
    )  # fmt: skip
    if name == "send_async":
        assert sent.wait_completed(timeout=20, polling_interval=0.05)
    assert len(instances_of(other)) == 2
    peer = {"Url": url_of(other), "Username": USER, "Password": PASSWORD}
    api.put("peers/orthanc-b", json=peer)
    sent = getattr(api.peers, name)(
        target_peer="orthanc-b", resources_ids=api.studies.get_all_ids()
    )
    if name == "send_async":
        assert sent.wait_completed(timeout=20, polling_interval=0.05)
    assert len(instances_of(other)) == 3
    api.delete("peers/orthanc-b")


def test_orthanc_api_client_lists_changes(api, files):
    before, _, _ = changes = api.get_changes()
    api.upload_folder(str(files))
    assert len(api.get_changes()[0]) > len(before)
    assert len(changes) == 3


def test_orthanc_api_client_is_told_what_is_not_there(api, url):
    with pytest.raises(ResourceNotFound):
        api.instances.get_file("nobody")
    assert not api.studies.exists("nobody")
    assert api.studies.lookup("9.9.9") is None
    with pytest.raises(NotAuthorized):
        OrthancApiClient(url, user=USER, pwd="wrong").get_system()


def test_orthanc_api_client_works_on_a_set_of_instances(api, files):
    api.upload_folder(str(files))
    chosen = InstancesSet.from_study(api, study_id=api.studies.lookup("1.2.3"))
    assert len(chosen.instances_ids) == 2
    chosen.delete()
    assert len(api.instances.get_all_ids()) == 1
