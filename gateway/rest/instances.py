"""Instances: upload them, get their files and tags, write them elsewhere."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from werkzeug import Request, Response

from gateway.dicom import syntaxes
from gateway.dicom.part10 import read_meta_elements
from gateway.dicom.views import View, file_view, view
from gateway.errors import TranscodeError, TranscodeUnsupported
from gateway.model import TranscodeOptions
from gateway.rest.answers import json_answer, nothing, number
from gateway.rest.errors import ApiError, Fault
from gateway.rest.expanded import file_uuid
from gateway.rest.file_answer import file_answer
from gateway.rest.forms import form_of_tags, whole_tags
from gateway.rest.lookup import version_of
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.upload import upload
from gateway.store.files import DERIVED

_MEDIA_TYPE = "application/dicom"
_FORBIDDEN = 403
_HIGHEST_QUALITY = 100


def instance_routes(services: Services) -> tuple[Route, ...]:
    """What only instances have, but for their pixels."""
    one = "/instances/<resource_id>"
    return (
        Route("POST", "/instances", partial(upload, services)),
        Route("GET", f"{one}/file", partial(_file, services)),
        Route("GET", f"{one}/tags", partial(_tags, services)),
        Route("GET", f"{one}/simplified-tags", partial(_simplified_tags, services)),
        Route("GET", f"{one}/header", partial(_header, services)),
        Route("POST", f"{one}/export", partial(_export, services)),
    )


def _file(services: Services, request: Request, resource_id: str) -> Response:
    version = version_of(services, resource_id)
    path = services.store.files.path(version.storage_key)
    uuid = file_uuid(version.storage_key)
    if "transcode" not in request.args:
        return file_answer(request, path, _MEDIA_TYPE, name=f"{uuid}.dcm", tag=uuid)
    return _transcoded(services, request, resource_id, path)


def _transcoded(services: Services, request: Request, instance_id: str, source: Path) -> Response:
    """The file in another transfer syntax; what is made for it goes with the answer."""
    syntax_uid, options = _wanted(services, request)
    staged = services.store.files.stage(DERIVED, made_from=instance_id)
    uuid = file_uuid(staged.key)
    try:
        services.codecs.transcode(source, staged.path, [syntax_uid], options)
        answer = file_answer(request, staged.path, _MEDIA_TYPE, name=f"{uuid}.dcm", tag=uuid)
    except TranscodeUnsupported as error:
        staged.discard()
        raise ApiError(Fault.NOT_IMPLEMENTED, str(error)) from error
    except TranscodeError as error:
        staged.discard()
        raise ApiError(Fault.INTERNAL, str(error)) from error
    except BaseException:
        staged.discard()
        raise
    # The file stays open for the answer, and needs no name any more.
    staged.discard()
    return answer


def _wanted(services: Services, request: Request) -> tuple[str, TranscodeOptions]:
    """Transfer syntax and options of ?transcode= and ?lossy-quality=. Raises ApiError."""
    options = services.settings.codecs.options()
    if "lossy-quality" in request.args:
        quality = number(request, "lossy-quality", 0)
        if not 1 <= quality <= _HIGHEST_QUALITY:
            raise ApiError(Fault.OUT_OF_RANGE, "lossy-quality has to be from 1 to 100")
        options = replace(options, quality=quality)
    try:
        return syntaxes.lookup(request.args["transcode"]).uid, options
    except syntaxes.UnknownTransferSyntax as error:
        raise ApiError(Fault.OUT_OF_RANGE, str(error)) from None


def _tags(services: Services, request: Request, resource_id: str) -> Response:
    return json_answer(_shown(services, request, resource_id, form_of_tags(request)))


def _simplified_tags(services: Services, request: Request, resource_id: str) -> Response:
    return json_answer(_shown(services, request, resource_id, View.SIMPLIFIED))


def _shown(services: Services, request: Request, instance_id: str, form: View) -> dict[str, Any]:
    version = version_of(services, instance_id)
    path = services.store.files.path(version.storage_key)
    return file_view(path, form, whole=whole_tags(request))


def _header(services: Services, request: Request, resource_id: str) -> Response:
    version = version_of(services, resource_id)
    elements = read_meta_elements(services.store.files.path(version.storage_key))
    return json_answer(view(elements, form_of_tags(request), whole=whole_tags(request)))


def _export(services: Services, request: Request, resource_id: str) -> Response:
    """Copy the file to the path in the body, over whatever is there."""
    if not services.settings.http.write_files:
        return Response(status=_FORBIDDEN)
    version = version_of(services, resource_id)
    target = request.get_data(as_text=True)
    try:
        shutil.copyfile(services.store.files.path(version.storage_key), target)
    except (OSError, ValueError):
        raise ApiError(Fault.CANNOT_WRITE_FILE) from None
    return nothing()
