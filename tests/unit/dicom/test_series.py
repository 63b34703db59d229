"""What is known of a series by the tags of its instances; compared with a real Orthanc."""

import pytest

from gateway.dicom.series import expected_instances, index_in_series, series_status


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"ImagesInAcquisition": "2", "NumberOfTemporalPositions": "3"}, 6),
        ({"ImagesInAcquisition": "2"}, None),
        ({"NumberOfSlices": "2", "NumberOfTimeSlices": "3"}, 6),
        ({"NumberOfSlices": "2", "NumberOfTimeSlices": "3", "CardiacNumberOfImages": "4"}, 6),
        ({"CardiacNumberOfImages": "4"}, 4),
        ({"CardiacNumberOfImages": "0"}, None),
        ({"ImagesInAcquisition": "2 ", "NumberOfTemporalPositions": "x"}, None),
        ({"ImagesInAcquisition": "-2", "NumberOfTemporalPositions": "1"}, None),
        ({}, None),
    ],
)
def test_how_many_instances_a_series_should_have(tags, expected):
    assert expected_instances(tags) == expected


@pytest.mark.parametrize(
    ("expected", "indices", "status"),
    [
        (None, [1], "Unknown"),
        (2, [1], "Missing"),
        (2, [1, 2], "Complete"),
        (2, [1, 1], "Inconsistent"),
        (2, [0, 1], "Inconsistent"),
        (2, [1, 3], "Inconsistent"),
        (2, [1, 2, 3], "Inconsistent"),
        (2, [1, None], "Missing"),
        (1, [None, None], "Missing"),
    ],
)
def test_whether_a_series_is_complete(expected, indices, status):
    assert series_status(expected, indices) == status


@pytest.mark.parametrize(
    ("tags", "index"),
    [
        ({"InstanceNumber": "007"}, 7),
        ({"InstanceNumber": " 7 "}, 7),
        ({"InstanceNumber": "+4"}, 4),
        ({"InstanceNumber": "-2"}, -2),
        ({"InstanceNumber": "1.5"}, None),
        ({"InstanceNumber": "3\\4"}, None),
        ({"InstanceNumber": "x", "ImageIndex": "3"}, None),
        ({"InstanceNumber": "2", "ImageIndex": "3"}, 2),
        ({"ImageIndex": "3"}, 3),
        ({}, None),
    ],
)
def test_the_place_of_an_instance_in_its_series(tags, index):
    assert index_in_series(tags) == index
