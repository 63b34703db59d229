"""Tags that requests name."""

from pydicom.tag import BaseTag

from gateway.dicom.tag_names import parse_tag
from gateway.errors import UnknownTag
from gateway.rest.errors import ApiError, Fault


def tag_in_request(text: str) -> BaseTag:
    """The tag that a request names. Raises ApiError."""
    try:
        return parse_tag(text)
    except UnknownTag as exc:
        raise ApiError(Fault.UNKNOWN_TAG, str(exc)) from None
