"""What goes wrong with a request, in the words and numbers that clients of Orthanc know."""

from enum import Enum

from gateway.errors import FilterFailed


class Fault(Enum):
    """An error of Orthanc's: its number, its text, and the HTTP status that it is answered with."""

    INTERNAL = (-1, "Internal error", 500)
    NOT_IMPLEMENTED = (2, "Not implemented yet", 501)
    OUT_OF_RANGE = (3, "Parameter out of range", 400)
    BAD_TYPE = (5, "Bad type for a parameter", 400)
    BAD_SEQUENCE_OF_CALLS = (6, "Bad sequence of calls", 500)
    INEXISTENT_ITEM = (7, "Accessing an inexistent item", 404)
    BAD_REQUEST = (8, "Bad request", 400)
    NETWORK_PROTOCOL = (9, "Error in the network protocol", 500)
    BAD_URI = (12, "Badly formatted URI", 400)
    INEXISTENT_FILE = (13, "Inexistent file", 404)
    CANNOT_WRITE_FILE = (14, "Cannot write to file", 500)
    BAD_FILE_FORMAT = (15, "Bad file format", 400)
    TIMEOUT = (16, "Timeout", 500)
    UNKNOWN_RESOURCE = (17, "Unknown resource", 404)
    FULL_STORAGE = (19, "The file storage is full", 507)
    INEXISTENT_TAG = (21, "Inexistent tag", 404)
    CANCELED_JOB = (37, "This job was canceled", 500)
    UNKNOWN_TAG = (27, "Unknown DICOM tag", 400)
    REVISION = (
        43,
        "A bad revision number was provided, which might indicate conflict between multiple "
        "writers",
        409,
    )
    CANNOT_STORE = (2018, "Cannot store an instance", 500)
    # Orthanc knows no loops: its numbers from here on are left to others.
    LOOP = (1_000_000, "Scripts answer what scripts have stored, for ever", 508)
    CANNOT_EXECUTE_LUA = (2031, "Cannot execute a Lua command", 500)
    NO_PREDICATE = (
        2034,
        "The Lua function is not a predicate (only true/false outputs allowed)",
        500,
    )

    @property
    def number(self) -> int:
        """What clients read as OrthancStatus."""
        return self.value[0]

    @property
    def text(self) -> str:
        """What clients read as OrthancError and Message."""
        return self.value[1]

    @property
    def http_status(self) -> int:
        """The status of the answer."""
        return self.value[2]


_BY_NUMBER = {fault.number: fault for fault in Fault}


def fault_of(number: int) -> Fault:
    """The fault with this number, as jobs remember it."""
    return _BY_NUMBER.get(number, Fault.INTERNAL)


def fault_of_filter(failed: FilterFailed) -> Fault:
    """What a filter that failed is told as."""
    return Fault.NO_PREDICATE if failed.is_no_answer else Fault.CANNOT_EXECUTE_LUA


class ApiError(Exception):
    """A request that is answered with an error. details: what exactly was wrong, for people."""

    def __init__(self, fault: Fault, details: str = "") -> None:
        super().__init__(details or fault.text)
        self.fault = fault
        self.details = details


class UnknownId(Exception):
    """The path names a resource that is not there: 404 without a body, as Orthanc answers."""
