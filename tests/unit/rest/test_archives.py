"""Archives and media: what is in the zip file, and under which names."""

import json
import random
import shutil
import subprocess
import threading
import tracemalloc
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest
from http_support import http_server
from images import made_ct
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless
from rest_support import GatewayApi
from structlog.testing import capture_logs

from gateway.model import Level, Resource
from gateway.rest.archive_plan import file_name, folder_name


def opened(response):
    assert response.status_code == 200, response.get_data()
    return ZipFile(BytesIO(response.get_data()))


def names(response):
    return opened(response).namelist()


def study_of(api: GatewayApi, instance_id: str) -> str:
    return parent(api, parent(api, instance_id))


def parent(api: GatewayApi, resource_id: str) -> str:
    return api.services.catalogue.get(resource_id).parent_id


def archive_of(api: GatewayApi, instance_id: str, query: str = ""):
    return api.get(f"/studies/{study_of(api, instance_id)}/archive{query}")


def resource(level=Level.STUDY, **main_tags):
    return Resource("id", level, "", main_tags, None, False, False)


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"AccessionNumber": "A1", "StudyDescription": "Head^Neck"}, "A1 Head Neck"),
        ({"StudyDescription": "  IRM   c\u00e9r\u00e9brale "}, "IRM crbrale"),
        ({"StudyDescription": "../../etc/passwd"}, "....etcpasswd"),
        ({"StudyDescription": ".."}, "Unknown Study"),
        ({"StudyDescription": 'a:b*c?"d<e>f|g\\h-i\n\0j'}, "abcdefghij"),
        ({"StudyDescription": "\u5c71\u7530"}, "Unknown Study"),
        ({}, "Unknown Study"),
    ],
)
def test_a_folder_is_called_what_people_know_it_by_in_safe_characters(tags, name):
    assert folder_name(resource(**tags)) == name


def test_patients_and_series_have_names_of_their_own():
    patient = resource(Level.PATIENT, PatientID="7", PatientName="Doe^Jane")
    series = resource(Level.SERIES, Modality="MR", SeriesDescription="T1")
    assert (folder_name(patient), folder_name(series)) == ("7 Doe Jane", "MR T1")


@pytest.mark.parametrize(
    ("modality", "name"),
    [
        ("CT", "CT000012.dcm"), ("ct", "CT000012.dcm"), ("RTSTRUCT", "RT000012.dcm"),
        ("X", "X0000012.dcm"), ("", "00000012.dcm"), ("/.", ".000012.dcm"),
    ],
)  # fmt: skip
def test_a_file_is_called_after_its_modality_and_place(modality, name):
    assert file_name(modality, 12) == name


def test_an_archive_has_a_folder_for_each_patient_study_and_series(gateway_api):
    first = made_ct(1, PatientID="P", StudyDescription="S", SeriesDescription="T")
    instance = gateway_api.store(first)
    gateway_api.store(made_ct(2, PatientID="P", SeriesInstanceUID="1.2.3", Modality="MR"))
    response = archive_of(gateway_api, instance)
    assert sorted(names(response)) == [
        "P SECRET NAME/S/CT T/CT000000.dcm",
        "P SECRET NAME/S/MR/MR000000.dcm",
    ]
    assert response.headers["Content-Type"] == "application/zip"
    study = study_of(gateway_api, instance)
    assert response.headers["Content-Disposition"] == f'filename="{study}.zip"'


def test_the_files_are_those_that_are_stored(gateway_api):
    instance = gateway_api.store(made_ct(1))
    archive = opened(archive_of(gateway_api, instance))
    assert archive.read(archive.namelist()[0]) == gateway_api.file_of(instance).read_bytes()
    assert archive.infolist()[0].compress_type == ZIP_DEFLATED


def test_folders_of_one_name_are_told_apart(gateway_api):
    ids = [
        gateway_api.store(made_ct(n, StudyInstanceUID=f"1.2.{n}", SeriesInstanceUID=f"1.3.{n}"))
        for n in (1, 2, 3)
    ]
    response = gateway_api.post("/tools/create-archive", json.dumps(ids))
    folders = [name.split("/")[1] for name in names(response)]
    assert folders == ["Unknown Study", "Unknown Study-2", "Unknown Study-3"]


def test_files_come_in_the_order_of_their_arrival_or_of_the_list(gateway_api):
    ids = [gateway_api.store(made_ct(n)) for n in (5, 3, 9)]

    def numbers(response):
        archive = opened(response)
        return [dcmread(BytesIO(archive.read(name))).InstanceNumber for name in archive.namelist()]

    assert numbers(archive_of(gateway_api, ids[0])) == [5, 3, 9]
    assert numbers(gateway_api.post("/tools/create-archive", json.dumps(ids[::-1]))) == [9, 3, 5]


def test_an_instance_that_is_asked_for_twice_is_there_once(gateway_api):
    instance = gateway_api.store(made_ct(1))
    ids = [instance, study_of(gateway_api, instance), instance]
    assert len(names(gateway_api.post("/tools/create-archive", json.dumps(ids)))) == 1


def test_archives_are_made_of_resources_of_any_level_under_any_path(gateway_api):
    instance = gateway_api.store(made_ct(1))
    study = study_of(gateway_api, instance)
    for path in ("patients", "studies", "series"):
        assert len(names(gateway_api.get(f"/{path}/{study}/archive"))) == 1


def test_a_list_may_come_in_the_query_too(gateway_api):
    ids = [gateway_api.store(made_ct(n)) for n in (1, 2)]
    response = gateway_api.get(f"/tools/create-archive?resources={','.join(ids)}")
    assert len(names(response)) == 2
    assert response.headers["Content-Disposition"] == 'filename="Archive.zip"'


def test_images_are_transcoded_on_their_way_into_the_archive(gateway_api):
    instance = gateway_api.store(made_ct(1, rows=16, columns=16))
    response = archive_of(gateway_api, instance, f"?transcode={JPEG2000Lossless}")
    archive = opened(response)
    image = dcmread(BytesIO(archive.read(archive.namelist()[0])))
    assert image.file_meta.TransferSyntaxUID == JPEG2000Lossless
    incoming = gateway_api.settings.store.folder / "incoming"
    assert not list(incoming.glob("*.dcm"))


def test_transcoding_ahead_keeps_the_order(gateway_api):
    ids = [gateway_api.store(made_ct(n, rows=16, columns=16)) for n in range(1, 12)]
    archive = opened(archive_of(gateway_api, ids[0], f"?transcode={ImplicitVRLittleEndian}"))
    images = [dcmread(BytesIO(archive.read(name))) for name in archive.namelist()]
    assert [image.InstanceNumber for image in images] == list(range(1, 12))
    assert {image.file_meta.TransferSyntaxUID for image in images} == {ImplicitVRLittleEndian}


def test_a_client_that_goes_away_leaves_no_file_and_no_thread(gateway_api):
    ids = [gateway_api.store(made_ct(n, rows=16, columns=16)) for n in range(1, 12)]
    response = archive_of(gateway_api, ids[0], f"?transcode={ImplicitVRLittleEndian}")
    assert next(response.iter_encoded())
    response.response.close()
    assert not list((gateway_api.settings.store.folder / "incoming").glob("*.dcm"))
    assert not [t for t in threading.enumerate() if t.name.startswith("transcode-ahead")]


def test_what_cannot_be_transcoded_is_archived_as_it_is_stored(gateway_api):
    instance = gateway_api.store(made_ct(1))
    with capture_logs() as lines:
        # Nobody writes video.
        response = archive_of(gateway_api, instance, "?transcode=1.2.840.10008.1.2.4.100")
        archive = opened(response)
    assert archive.read(archive.namelist()[0]) == gateway_api.file_of(instance).read_bytes()
    assert [line["event"] for line in lines] == ["instance goes as stored"]


def test_an_instance_that_is_gone_by_then_is_left_out_and_logged(gateway_api):
    ids = [gateway_api.store(made_ct(n)) for n in (1, 2, 3)]
    gateway_api.file_of(ids[1]).unlink()
    with capture_logs() as lines:
        archived = names(archive_of(gateway_api, ids[0]))
    assert [name[-12:] for name in archived] == ["CT000000.dcm", "CT000002.dcm"]
    assert [line["instance"] for line in lines] == [ids[1]]


def test_an_archive_that_failed_half_way_does_not_look_whole(gateway_api, monkeypatch):
    ids = [gateway_api.store(made_ct(n)) for n in (1, 2)]
    response = archive_of(gateway_api, ids[0])
    gateway_api.file_of(ids[1]).unlink()
    gateway_api.file_of(ids[1]).mkdir()  # reading it is an error of the device
    received = b""
    with pytest.raises(OSError):
        for piece in response.iter_encoded():
            received += piece
    assert received
    assert b"PK\x05\x06" not in received


def test_a_client_over_http_notices_an_archive_that_failed_half_way(gateway_api):
    # Random: what is compressed away would not fill the first pieces.
    noise = random.Random(1).randbytes(2 * 1024 * 1024)
    ids = [gateway_api.store(made_ct(n, PixelData=noise)) for n in (1, 2)]
    study = study_of(gateway_api, ids[0])
    gateway_api.file_of(ids[1]).unlink()
    gateway_api.file_of(ids[1]).mkdir()
    with http_server(gateway_api.application) as port, capture_logs():
        with (
            httpx.stream("GET", f"http://127.0.0.1:{port}/studies/{study}/archive") as response,
            pytest.raises(httpx.RemoteProtocolError),
        ):
            assert response.status_code == 200
            for _ in response.iter_bytes():
                pass
        # Others are served as before.
        assert httpx.get(f"http://127.0.0.1:{port}/studies/{study}").status_code == 200


def test_a_client_over_http_may_go_away_in_the_middle(gateway_api):
    noise = random.Random(1).randbytes(2 * 1024 * 1024)
    for n in range(4):
        instance = gateway_api.store(made_ct(n, rows=1024, columns=1024, PixelData=noise))
    study = study_of(gateway_api, instance)
    with http_server(gateway_api.application) as port, capture_logs():
        url = f"http://127.0.0.1:{port}/studies/{study}"
        with httpx.stream("GET", f"{url}/archive?transcode={ImplicitVRLittleEndian}") as response:
            next(response.iter_raw(100))
        assert httpx.get(url).status_code == 200
    assert not list((gateway_api.settings.store.folder / "incoming").glob("*.dcm"))


def test_a_large_archive_is_not_held_in_memory(gateway_api):
    noise = random.Random(1).randbytes(2 * 1024 * 1024)
    for n in range(8):
        gateway_api.store(made_ct(n, PixelData=noise))
    study = gateway_api.services.catalogue.ids(Level.STUDY)[0]
    response = gateway_api.get(f"/studies/{study}/archive")
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in response.iter_encoded())
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 0
    assert peak_bytes < 4 << 20


# --- media ---------------------------------------------------------------------------------------


def unpacked(response, folder):
    opened(response).extractall(folder)
    return folder


def test_media_have_short_names_and_a_directory(gateway_api):
    ids = [gateway_api.store(made_ct(n)) for n in (1, 2)]
    study = study_of(gateway_api, ids[0])
    assert names(gateway_api.get(f"/studies/{study}/media")) == [
        "IMAGES/IM0", "IMAGES/IM1", "DICOMDIR",
    ]  # fmt: skip


def test_the_directory_of_media_names_every_file(gateway_api, tmp_path):
    for n in (1, 2, 3):
        gateway_api.store(made_ct(n, StudyInstanceUID=f"1.2.{n % 2}", SeriesInstanceUID="1.3"))
    patient = gateway_api.services.catalogue.ids(Level.PATIENT)[0]
    folder = unpacked(gateway_api.get(f"/patients/{patient}/media"), tmp_path / "media")
    records = dcmread(folder / "DICOMDIR").DirectoryRecordSequence
    images = [record for record in records if record.DirectoryRecordType == "IMAGE"]
    assert len(images) == 3
    for image in images:
        file = dcmread(folder.joinpath(*image.ReferencedFileID))
        assert file.SOPInstanceUID == image.ReferencedSOPInstanceUIDInFile


@pytest.mark.parametrize("route", ["create-media-extended", "create-media"])
def test_only_extended_media_describe_series(gateway_api, tmp_path, route):
    instance = gateway_api.store(made_ct(1, SeriesDescription="Chest"))
    response = gateway_api.post(f"/tools/{route}", json.dumps([instance]))
    directory = dcmread(BytesIO(opened(response).read("DICOMDIR")))
    (series,) = (r for r in directory.DirectoryRecordSequence if r.DirectoryRecordType == "SERIES")
    assert series.get("SeriesDescription") == ("Chest" if "extended" in route else None)


def test_media_are_extended_on_request(gateway_api):
    instance = gateway_api.store(made_ct(1, SeriesDescription="Chest"))
    study = study_of(gateway_api, instance)
    for response in (
        gateway_api.get(f"/studies/{study}/media?extended"),
        gateway_api.post(f"/studies/{study}/media", '{"Extended": true}'),
    ):
        assert b"Chest" in opened(response).read("DICOMDIR")


@pytest.mark.peer
def test_dcmtk_reads_the_directory(gateway_api, tmp_path):
    if shutil.which("dcmdump") is None:
        pytest.skip("dcmdump is not installed")
    instance = gateway_api.store(made_ct(1))
    response = gateway_api.post("/tools/create-media", json.dumps([instance]))
    folder = unpacked(response, tmp_path / "media")
    dump = subprocess.run(
        ["dcmdump", str(folder / "DICOMDIR")], capture_output=True, text=True, check=True
    )
    assert r"[IMAGES\IM0]" in dump.stdout
    assert dump.stderr == ""


# --- jobs ----------------------------------------------------------------------------------------


def test_a_background_job_makes_the_archive_and_tells_its_sizes(gateway_api):
    instance = gateway_api.store(made_ct(1, rows=64, columns=64))
    study = study_of(gateway_api, instance)
    answer = gateway_api.post_json(
        f"/studies/{study}/archive", {"Asynchronous": True, "Priority": 3}
    )
    assert answer == {"ID": "job-1", "Path": "/jobs/job-1"}
    job = gateway_api.jobs.done["job-1"]
    stored = gateway_api.file_of(instance).stat().st_size
    assert (job.kind, job.priority) == ("Archive", 3)
    size = int(job.content.pop("ArchiveSize"))
    assert job.content == {
        "ArchiveSizeMB": 0,
        "Description": "REST API",
        "InstancesCount": 1,
        "UncompressedSize": str(stored),
        "UncompressedSizeMB": 0,
    }
    output = gateway_api.jobs._outputs / "job-1" / "archive"
    assert output.stat().st_size == size
    assert len(ZipFile(output).namelist()) == 1


def test_a_background_job_makes_media_too_and_names_its_transcoding(gateway_api):
    instance = gateway_api.store(made_ct(1))
    request = {"Resources": [instance], "Synchronous": False, "Transcode": ImplicitVRLittleEndian}
    gateway_api.post_json("/tools/create-media", request)
    job = gateway_api.jobs.done["job-1"]
    assert (job.kind, job.content["Transcode"]) == ("Media", ImplicitVRLittleEndian)


def test_a_post_without_further_words_is_answered_with_the_archive(gateway_api):
    instance = gateway_api.store(made_ct(1))
    study = study_of(gateway_api, instance)
    for body in ("{}", "[]", '{"Synchronous": true, "Asynchronous": true}'):
        assert len(names(gateway_api.post(f"/studies/{study}/archive", body))) == 1


def test_a_list_of_nothing_is_an_empty_archive(gateway_api):
    assert names(gateway_api.post("/tools/create-archive", "[]")) == []


# --- bad requests --------------------------------------------------------------------------------

BAD_FILE, OUT_OF_RANGE = 15, 3


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", BAD_FILE),
        ("no json", BAD_FILE),
        ('{"Asynchronous": 1}', BAD_FILE),
        ('{"Synchronous": "yes"}', BAD_FILE),
        ('{"Synchronous": false, "Priority": "1"}', BAD_FILE),
        ('{"Priority": 1.0}', BAD_FILE),
        ('{"Transcode": 5}', BAD_FILE),
        ('{"Transcode": "no syntax"}', OUT_OF_RANGE),
        ('{"Transcode": "1.2.840.10008.1.2.4.50", "LossyQuality": 101}', OUT_OF_RANGE),
    ],
)
def test_a_wrong_body_is_a_bad_request(gateway_api, body, fault):
    study = study_of(gateway_api, gateway_api.store(made_ct(1)))
    response = gateway_api.post(f"/studies/{study}/archive", body)
    assert (response.status_code, response.json["OrthancStatus"]) == (400, fault)


def test_a_wrong_extended_is_a_bad_request_for_media(gateway_api):
    study = study_of(gateway_api, gateway_api.store(made_ct(1)))
    assert gateway_api.post(f"/studies/{study}/media", '{"Extended": "x"}').status_code == 400


@pytest.mark.parametrize("body", ['"id"', "{}", '{"Resources": "id"}', "[1]", "5"])
def test_a_list_that_is_none_is_a_bad_request(empty_api, body):
    response = empty_api.post("/tools/create-archive", body)
    assert (response.status_code, response.json["OrthancStatus"]) == (400, BAD_FILE)


@pytest.mark.parametrize("query", ["transcode=", "transcode=no", "transcode=1.2.3"])
def test_an_unknown_syntax_in_the_query_is_a_bad_request(gateway_api, query):
    instance = gateway_api.store(made_ct(1))
    response = archive_of(gateway_api, instance, f"?{query}")
    assert (response.status_code, response.json["OrthancStatus"]) == (400, OUT_OF_RANGE)


def test_an_unknown_id_is_told_before_anything_is_sent(empty_api):
    for response in (
        empty_api.get("/studies/nope/archive"),
        empty_api.post("/studies/nope/media", "{}"),
        empty_api.post("/studies/nope/media", '{"Asynchronous": true}'),
        empty_api.post("/tools/create-archive", '["nope"]'),
        empty_api.get("/tools/create-archive?resources=nope"),
    ):
        assert (response.status_code, response.json["OrthancStatus"]) == (404, 17)
