"""Made CT images, in memory and as files."""

from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    generate_uid,
)


def made_ct(number: int = 1, *, rows: int = 4, columns: int = 4, **attributes: object) -> Dataset:
    """A CT image, the same each time.

    number gives it its SOP Instance UID; other keywords replace attributes, None removes one. Its
    patient is called SECRET^NAME, for those who look for the name where it must not be.
    """
    image = Dataset()
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = f"1.2.826.0.1.3680043.10.1.{number}"
    image.Modality = "CT"
    image.PatientName = "SECRET^NAME"
    image.PatientID = "SECRET-ID"
    image.StudyInstanceUID = "1.2.826.0.1.3680043.10.2"
    image.SeriesInstanceUID = "1.2.826.0.1.3680043.10.3"
    image.InstanceNumber = number
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = rows, columns
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    slope = np.arange(rows * columns) * 37 % 4096
    image.add_new("PixelData", "OW", slope.astype("<u2").tobytes())
    for keyword, value in attributes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    return image


def save(image: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write it as a Part 10 file."""
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = syntax
    image.save_as(path, enforce_file_format=True)
    return path


def make_ct(
    path: Path,
    *,
    pixel_bytes: int = 8192,
    syntax: str = ExplicitVRLittleEndian,
    sop_class: str = CTImageStorage,
) -> Path:
    """Write a CT image that nobody has seen, with a recognizable pattern as pixels."""
    image = made_ct(
        rows=64,
        columns=64,
        SOPClassUID=sop_class,
        SOPInstanceUID=generate_uid(),
        StudyInstanceUID=generate_uid(),
        SeriesInstanceUID=generate_uid(),
        BitsStored=16,
        HighBit=15,
        PixelData=(bytes(range(256)) * (pixel_bytes // 256 + 1))[:pixel_bytes],
    )
    if syntax in (JPEG2000Lossless, JPEGBaseline8Bit):
        # What is in the frame does not matter to the network.
        image.PixelData = encapsulate([bytes(pixel_bytes)])
        image["PixelData"].VR = "OB"
    return save(image, path, syntax)
