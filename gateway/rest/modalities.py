"""/modalities: whom instances are sent to over DICOM, and asking whether they are there."""

from collections.abc import Mapping
from typing import Any

from werkzeug import Request, Response

from gateway.config.models import Destination
from gateway.dicom import syntaxes
from gateway.dimse.contexts import Context
from gateway.dimse.policy import VERIFICATION
from gateway.dimse.sender import open_association
from gateway.errors import NoAcceptableSyntax, RemoteError
from gateway.rest import fields
from gateway.rest.answers import flag, json_answer, json_body, nothing
from gateway.rest.errors import ApiError, Fault, UnknownId
from gateway.rest.exporting import as_api_error, checked_name
from gateway.rest.modality_json import known_modality, modality_json, modality_of, with_timeout
from gateway.rest.modality_store import ModalityStore
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.modalities import Modalities, Modality

_FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve Information Model - FIND
# As Orthanc lists them, with those that are answered with 501 for now.
_OPERATIONS = (
    "configuration", "echo", "find", "find-instance", "find-patient", "find-series", "find-study",
    "find-worklist", "move", "query", "storage-commitment", "store", "store-straight",
)  # fmt: skip


def modality_routes(services: Services) -> tuple[Route, ...]:
    """Their list, their settings, and what is asked of them."""
    modalities = Modalities(
        services.settings.destinations, services.store.engine, services.store.committer
    )
    handlers = _Handlers(modalities, services.settings.dicom.aet)
    sending = ModalityStore(services, modalities)
    one = "/modalities/<modality>"
    return (
        Route("GET", "/modalities", handlers.list),
        Route("GET", one, handlers.get),
        Route("PUT", one, handlers.put),
        Route("DELETE", one, handlers.delete),
        Route("GET", f"{one}/configuration", handlers.configuration),
        Route("POST", f"{one}/echo", handlers.echo),
        Route("POST", "/tools/dicom-echo", handlers.echo_anybody),
        Route("POST", f"{one}/store", sending.store),
        Route("POST", f"{one}/store-straight", sending.store_straight),
    )


class _Handlers:
    def __init__(self, modalities: Modalities, own_aet: str) -> None:
        self._modalities = modalities
        self._own_aet = own_aet

    def list(self, request: Request) -> Response:
        known = self._modalities.all()
        if flag(request, "expand"):
            return json_answer({name: modality_json(each) for name, each in known.items()})
        return json_answer(list(known))

    def get(self, request: Request, modality: str) -> Response:
        if self._modalities.get(modality) is None:
            raise UnknownId
        return json_answer(_OPERATIONS)

    def configuration(self, request: Request, modality: str) -> Response:
        return json_answer(modality_json(known_modality(self._modalities, modality)))

    def put(self, request: Request, modality: str) -> Response:
        self._modalities.put(checked_name(modality), modality_of(json_body(request)))
        return _done()

    def delete(self, request: Request, modality: str) -> Response:
        if self._modalities.remove(modality):
            return _done()
        if self._modalities.is_configured(modality):
            raise ApiError(Fault.BAD_REQUEST, "the configuration names it: remove it there")
        raise ApiError(Fault.INEXISTENT_ITEM, f"there is no modality {modality!r}")

    def echo(self, request: Request, modality: str) -> Response:
        body = json_body(request) if request.get_data() else {}
        options = body if isinstance(body, dict) else {}
        return self._echo(known_modality(self._modalities, modality), options)

    def echo_anybody(self, request: Request) -> Response:
        body = json_body(request)
        return self._echo(modality_of(body), body if isinstance(body, dict) else {})

    def _echo(self, modality: Modality, options: Mapping[str, Any]) -> Response:
        timeout_s = fields.unsigned(options, "Timeout", 0)
        check_find = fields.boolean(options, "CheckFind", False)
        destination = with_timeout(modality.destination, timeout_s)
        try:
            ask(destination, destination.calling_aet or self._own_aet, check_find=check_find)
        except RemoteError as error:
            raise as_api_error(error) from error
        return nothing()


def ask(destination: Destination, calling_aet: str, *, check_find: bool) -> None:
    """C-ECHO; with check_find, it has to take queries, too. Raises RemoteError."""
    contexts = [Context(VERIFICATION, syntaxes.IMPLICIT_LE.uid)]
    if check_find:
        contexts.append(Context(_FIND, syntaxes.IMPLICIT_LE.uid))
    association = open_association(destination, calling_aet=calling_aet, contexts=contexts)
    try:
        association.echo()
        if check_find and not association.accepted(_FIND):
            raise NoAcceptableSyntax(f"{destination.aet} takes no queries from {calling_aet}")
    finally:
        association.release()


def _done() -> Response:
    return Response(content_type="text/plain")
