"""/tools/execute-script: Lua that a client sends, for administrators of sites that allow it."""

from werkzeug import Request, Response

from gateway.config.models import Scripts
from gateway.errors import ScriptError
from gateway.rest.answers import text_answer
from gateway.rest.application import origin_of
from gateway.rest.errors import ApiError, Fault
from gateway.rest.patience import seconds_left
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.scripting.snippet import run_snippet


def snippet_routes(services: Services) -> tuple[Route, ...]:
    """Refused unless `http.execute_lua` is set: who may run Lua may run anything."""
    settings = services.settings

    def execute(request: Request) -> Response:
        if not settings.http.execute_lua:
            return Response(status=403)
        try:
            printed = run_snippet(
                request.get_data(),
                _in_time(settings.scripts),
                services.site(),
                asked_by=origin_of(request),
            )
        except ScriptError as error:
            raise ApiError(Fault.CANNOT_EXECUTE_LUA, str(error)) from error
        return text_answer(printed)

    return (Route("POST", "/tools/execute-script", execute),)


def _in_time(settings: Scripts) -> Scripts:
    """With no more time than whoever asks can wait: a script that calls another is one itself."""
    return settings.model_copy(update={"timeout_s": min(settings.timeout_s, seconds_left())})
