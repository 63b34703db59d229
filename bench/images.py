"""Made CT images of 0.5 MB: as large as a slice of a scanner, with nobody's data in them."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

ROWS = COLUMNS = 512
PIXEL_BYTES = ROWS * COLUMNS * 2
_SLICES_PER_SERIES = 100


def make_images(folder: Path, count: int) -> dict[str, Path]:
    """Write one study of so many slices; answer each file by its SOP Instance UID."""
    folder.mkdir()
    study_uid, images = generate_uid(), {}
    for number in range(count):
        if number % _SLICES_PER_SERIES == 0:
            series_uid = generate_uid()
        image = _slice(number, study_uid, series_uid)
        path = folder / f"{number:05}.dcm"
        image.save_as(path, enforce_file_format=True)
        images[str(image.SOPInstanceUID)] = path
    return images


def _slice(number: int, study_uid: str, series_uid: str) -> Dataset:
    image = header(number, study_uid, series_uid)
    noise = np.random.default_rng(number).normal(40, 15, ROWS * COLUMNS)
    image.add_new("PixelData", "OW", noise.astype("<i2").tobytes())
    return image


def header(number: int, study_uid: str, series_uid: str) -> Dataset:
    """All that a slice says beside its pixels, which have 16 bits and a sign."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, series_uid
    image.StudyDate = image.SeriesDate = image.AcquisitionDate = image.ContentDate = "20260102"
    image.StudyTime = image.SeriesTime = image.AcquisitionTime = image.ContentTime = "101530.25"
    image.AccessionNumber, image.StudyID, image.Modality = "B0001", "1", "CT"
    image.Manufacturer, image.ManufacturerModelName = "Bench", "Made CT"
    image.StationName, image.InstitutionName = "CT1", "Bench"
    image.StudyDescription, image.SeriesDescription = "Abdomen", "1.0 B30f"
    image.PatientName, image.PatientID = "Bench^Made", "BENCH"
    image.PatientBirthDate, image.PatientSex = "19700101", "O"
    image.KVP, image.SliceThickness, image.ConvolutionKernel = 120, 1, "B30f"
    image.SeriesNumber, image.InstanceNumber = number // _SLICES_PER_SERIES + 1, number + 1
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.ImagePositionPatient = [-250, -250, number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.FrameOfReferenceUID, image.PixelSpacing = study_uid, [0.9765625, 0.9765625]
    image.Rows, image.Columns, image.SamplesPerPixel = ROWS, COLUMNS, 1
    image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 1
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.WindowCenter, image.WindowWidth = 40, 400
    image.RescaleIntercept, image.RescaleSlope = 0, 1
    return image
