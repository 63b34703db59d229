"""Routes that clients of Orthanc know and this gateway has not yet: 501, and what is missing.

A place in the table tells them from routes that do not exist, and from resources that do not.
"""

from collections.abc import Mapping

from werkzeug import Request, Response

from gateway.rest.errors import ApiError, Fault
from gateway.rest.routes import Handler, Route

_QUERY = "query and retrieve over DICOM"
_RENDERING = "rendering of images"
_SPLITTING = "splitting and merging of studies"
_BULK = "requests over many resources at once"
_SORTING = "sorting of slices"
_COMMITMENT = "storage commitment"
_LOGGING = "log levels of single parts"
_CREATING = "creation of DICOM instances"
_DICOMWEB = "DICOMweb"
_FRAME = "/instances/<resource_id>/frames/<frame>"
_IMAGES = ("image-int16", "image-uint16", "image-uint8", "numpy", "preview", "rendered")
_LOGGED = ("dicom", "generic", "http", "jobs", "lua", "plugins", "sqlite")
_OPERATIONS = (
    "find", "find-patient", "find-study", "find-series", "find-instance", "find-worklist", "get",
    "move", "query", "storage-commitment",
)  # fmt: skip

_PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    _QUERY: (
        *(("POST", f"/modalities/<modality>/{operation}") for operation in _OPERATIONS),
        ("GET", "/queries"),
        ("GET", "/queries/<path:rest>"),
        ("POST", "/queries/<path:rest>"),
        ("DELETE", "/queries/<path:rest>"),
    ),
    _RENDERING: (
        *(("GET", f"/instances/<resource_id>/{image}") for image in _IMAGES),
        *(("GET", f"{_FRAME}/{image}") for image in (*_IMAGES, "matlab")),
        ("GET", "/instances/<resource_id>/matlab"),
        ("GET", "/instances/<resource_id>/pdf"),
        ("GET", "/series/<resource_id>/numpy"),
    ),
    _SPLITTING: (
        ("POST", "/studies/<resource_id>/merge"),
        ("POST", "/studies/<resource_id>/split"),
    ),
    _BULK: tuple(
        ("POST", f"/tools/bulk-{operation}") for operation in ("anonymize", "content", "modify")
    ),
    _CREATING: (("POST", "/tools/create-dicom"),),
    _SORTING: (("GET", "/series/<resource_id>/ordered-slices"),),
    _COMMITMENT: (
        ("GET", "/storage-commitment/<transaction>"),
        ("POST", "/storage-commitment/<transaction>/remove"),
    ),
    _LOGGING: tuple(
        (method, f"/tools/log-level-{part}") for part in _LOGGED for method in ("GET", "PUT")
    ),
    _DICOMWEB: (
        ("GET", "/dicom-web/<path:rest>"),
        ("POST", "/dicom-web/<path:rest>"),
        ("DELETE", "/dicom-web/<path:rest>"),
        ("GET", "/wado"),
    ),
}


# Method and path -> what is missing.
LATER: Mapping[tuple[str, str], str] = {
    place: what for what, places in _PLACES.items() for place in places
}


def later_routes() -> tuple[Route, ...]:
    """Every one of them answers that it is not implemented."""
    return tuple(Route(method, path, _not_yet(what)) for (method, path), what in LATER.items())


def _not_yet(what: str) -> Handler:
    def refuse(request: Request, **variables: str) -> Response:
        raise ApiError(
            Fault.NOT_IMPLEMENTED,
            f"{request.method} {request.path}: this gateway does not offer {what} yet",
        )

    return refuse
