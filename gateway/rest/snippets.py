"""/tools/execute-script: Lua that a client sends, for administrators of sites that allow it."""

from werkzeug import Request, Response

from gateway.errors import ScriptError
from gateway.rest.answers import text_answer
from gateway.rest.errors import ApiError, Fault
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.scripting.site import Site
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
                settings.scripts,
                Site(settings.destinations, settings.codecs.options()),
            )
        except ScriptError as error:
            raise ApiError(Fault.CANNOT_EXECUTE_LUA, str(error)) from error
        return text_answer(printed)

    return (Route("POST", "/tools/execute-script", execute),)
