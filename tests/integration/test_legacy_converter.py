"""A script as sites run it beside Orthanc, with gdcmconv and dcmodify: unmodified."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from gateway_process import FormerOrthanc
from images import made_ct, save
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless
from waiting import wait_until

from gateway.config.models import Destination
from gateway.dimse.contexts import Context
from gateway.dimse.sender import ForwardAssociation, open_association

IMAGES = 100
TOOLS = ("gdcmconv", "dcmodify")
SCRIPT = """
-- Where the images are converted, and what marks them
FOLDER = 'work/'
MARK = 'JPEG 2000 Archive'

function WriteFile(path, content)
   local target = assert(io.open(path, 'wb'))
   target:write(content)
   target:close()
end

function ReadFile(path)
   local source = assert(io.open(path, 'rb'))
   local content = source:read("*all")
   source:close()
   return content
end

function OnStoredInstance(instanceId, tags, metadata, origin)
   -- Do not convert twice the same file
   if origin['RequestOrigin'] == 'Lua' then
      return
   end
   if tags['Modality'] ~= 'CT' then
      return
   end

   local original = FOLDER .. instanceId .. '.dcm'
   local converted = FOLDER .. instanceId .. '.j2k.dcm'
   WriteFile(original, RestApiGet('/instances/' .. instanceId .. '/file'))

   local ok, how, code = os.execute('gdcmconv --j2k ' .. original .. ' ' .. converted)
   if not ok then
      print('gdcmconv failed', how, code)
      return
   end
   os.execute('dcmodify -nb -gin -i "0008,103e=' .. MARK .. '" ' .. converted)

   local answer = ParseJson(RestApiPost('/instances', ReadFile(converted)))
   if answer['Status'] == 'Success' then
      RestApiDelete('/instances/' .. instanceId)
   end

   os.remove(original)
   os.remove(converted)
end
"""
# Found before the real one: the script is unmodified, and stands still in its first os.execute.
GATE = """#!/bin/sh
touch "$GATE_FOLDER/reached"
until [ -e "$GATE_FOLDER/open" ]; do sleep 0.05; done
exec {gdcmconv} "$@"
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.peer,
    pytest.mark.skipif(
        not all(map(shutil.which, TOOLS)), reason=f"{' and '.join(TOOLS)} are not installed"
    ),
]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[FormerOrthanc]:
    """Its gdcmconv waits for a file named `open`."""
    gate = tmp_path / "bin" / "gdcmconv"
    gate.parent.mkdir()
    gate.write_text(GATE.format(gdcmconv=shutil.which("gdcmconv")))
    gate.chmod(0o755)
    (tmp_path / "work").mkdir()
    gateway = FormerOrthanc(tmp_path, SCRIPT)
    search = f"{gate.parent}:{os.environ['PATH']}"
    gateway.start(PATH=search, GATE_FOLDER=str(tmp_path))
    yield gateway
    assert gateway.terminate() == 0


@contextmanager
def associated(gateway: FormerOrthanc) -> Iterator[ForwardAssociation]:
    peer = Destination(aet="ORTHANC", host="127.0.0.1", port=gateway.port, dimse_timeout_s=20)
    contexts = [Context(str(CTImageStorage), str(ExplicitVRLittleEndian))]
    association = open_association(peer, calling_aet="CT", contexts=contexts)
    try:
        yield association
    finally:
        association.release()


def send(gateway: FormerOrthanc, folder: Path, numbers: range) -> None:
    """Each is answered with success, or this raises."""
    with associated(gateway) as association:
        for number in numbers:
            path = folder / f"sent-{number}.dcm"
            association.store(save(image(number), path))


def image(number: int) -> Dataset:
    return made_ct(number, rows=64, columns=64, SeriesDescription="as it came")


def test_a_legacy_script_converts_a_hundred_images_and_no_sender_ever_waits_for_it(
    gateway, tmp_path
):
    half = IMAGES // 2
    base = f"http://127.0.0.1:{gateway.http_port}"
    with httpx.Client(base_url=base, timeout=60) as http, ThreadPoolExecutor() as senders:
        send(gateway, tmp_path, range(1))
        wait_until(lambda: (tmp_path / "reached").exists(), 60)
        # The script stands in its first os.execute, and does not come back by itself.
        send(gateway, tmp_path, range(1, half))
        assert len(http.get("/instances").json()) == half

        (tmp_path / "open").touch()
        senders.submit(send, gateway, tmp_path, range(half, IMAGES)).result()
        wait_until(lambda: not is_anything_left(http), 100)
        results = [downloaded(http, each) for each in http.get("/instances").json()]
    assert sorted(int(each.InstanceNumber) for each in results) == list(range(IMAGES))
    for result in results:
        original = dcmread(tmp_path / f"sent-{result.InstanceNumber}.dcm")
        assert result.file_meta.TransferSyntaxUID == JPEG2000Lossless
        assert result.SeriesDescription == "JPEG 2000 Archive"
        assert result.SOPInstanceUID != original.SOPInstanceUID
        assert np.array_equal(result.pixel_array, original.pixel_array)
    assert list((tmp_path / "work").iterdir()) == []
    assert not gateway.events("event parked")
    assert not gateway.events("script says")


def is_anything_left(http: httpx.Client) -> bool:
    """Events wait for the script, or it is at work on one."""
    metrics = http.get("/metrics").text.splitlines()
    waiting = [line for line in metrics if line.startswith("gateway_events_waiting{")]
    return any(float(line.split()[-1]) for line in waiting)


def downloaded(http: httpx.Client, instance_id: str) -> Dataset:
    return dcmread(BytesIO(http.get(f"/instances/{instance_id}/file").content))
