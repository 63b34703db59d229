"""For whoever watches the gateway: is it alive, is it ready, what does it count."""

from collections.abc import Callable, Mapping

from prometheus_client.exposition import choose_encoder
from werkzeug import Request, Response

from gateway.metrics import Metrics
from gateway.rest.answers import json_answer
from gateway.rest.routes import Route

# None when all is well, else the reason why not, in words.
Check = Callable[[], str | None]


def health_routes(
    checks: Mapping[str, Check], metrics: Metrics, refresh: Callable[[], None]
) -> tuple[Route, ...]:
    """/healthz, /readyz and /metrics.

    checks: by name, what must be well before the gateway may be sent work. refresh: sets the gauges
    that are only known when asked for; called before every scrape.
    """

    def alive(request: Request) -> Response:
        return Response("ok\n", mimetype="text/plain")

    def ready(request: Request) -> Response:
        found = {name: check() for name, check in checks.items()}
        reasons = {name: reason for name, reason in found.items() if reason is not None}
        return json_answer({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    def scrape(request: Request) -> Response:
        refresh()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(metrics.registry), content_type=content_type)

    return (
        Route("GET", "/healthz", alive),
        Route("GET", "/readyz", ready),
        Route("GET", "/metrics", scrape),
    )
