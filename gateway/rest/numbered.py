"""Metadata and attachments have numbers; some numbers have names, those of users from 1024 on."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.rest.errors import ApiError, Fault

USER_NUMBERS = range(1024, 65536)
METADATA = {
    "IndexInSeries": 1,
    "ReceptionDate": 2,
    "RemoteAET": 3,
    "ExpectedNumberOfInstances": 4,
    "ModifiedFrom": 5,
    "AnonymizedFrom": 6,
    "LastUpdate": 7,
    "Origin": 8,
    "TransferSyntax": 9,
    "SopClassUid": 10,
    "RemoteIP": 11,
    "CalledAET": 12,
    "HttpUsername": 13,
    "PixelDataOffset": 14,
}
ATTACHMENTS = {"dicom": 1, "dicom-as-json": 2, "dicom-until-pixel-data": 3}


@dataclass(frozen=True, slots=True)
class Numbered:
    """What a path may call a number: one of the names, or the number itself."""

    numbers: Mapping[str, int]

    def number(self, text: str) -> int:
        """The number that a path names. Raises ApiError."""
        if text in self.numbers:
            return self.numbers[text]
        if text.isascii() and text.isdecimal():
            return int(text[:9])
        raise ApiError(Fault.INEXISTENT_ITEM, f"no such name: {text!r}")

    def name(self, number: int) -> str:
        """How it is shown: by its name, if it has one."""
        for name, known in self.numbers.items():
            if known == number:
                return name
        return str(number)

    def user_number(self, text: str) -> int | None:
        """The number that a path names, None when users may not write it. Raises ApiError."""
        number = self.number(text)
        return number if number in USER_NUMBERS else None
