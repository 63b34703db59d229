"""Makers of modalities whose habits queries have to respect, by Orthanc's words for them."""

from collections.abc import Mapping
from typing import Literal

Manufacturer = Literal[
    "Generic", "GenericNoWildcardInDates", "GenericNoUniversalWildcard", "Vitrea", "GE"
]
GENERIC: Manufacturer = "Generic"
# Those that Orthanc knows, and the one that each older name stands for.
MANUFACTURERS: Mapping[str, Manufacturer] = {
    "Generic": GENERIC,
    "GenericNoWildcardInDates": "GenericNoWildcardInDates",
    "GenericNoUniversalWildcard": "GenericNoUniversalWildcard",
    "Vitrea": "Vitrea",
    "GE": "GE",
    "ClearCanvas": GENERIC,
    "Dcm4Chee": GENERIC,
    "EFilm2": GENERIC,
    "MedInria": GENERIC,
    "AgfaImpax": "GenericNoWildcardInDates",
    "SyngoVia": "GenericNoWildcardInDates",
}
