"""/tools/metrics: what dashboards that were made for Orthanc read, and our own figures with it."""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from werkzeug import Request, Response

from gateway.model import Level
from gateway.rest.answers import flag_body, text_answer
from gateway.rest.jobs import JobState
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.totals import totals


def monitoring_routes(services: Services) -> tuple[Route, ...]:
    """The figures, and the switch that turns them off."""
    shown = True
    familiar = CollectorRegistry(auto_describe=False)
    familiar.register(_Familiar(services))

    def get(request: Request) -> Response:
        return text_answer("1" if shown else "0")

    def put(request: Request) -> Response:
        nonlocal shown
        shown = flag_body(request)
        return text_answer("")

    def scrape(request: Request) -> Response:
        figures = generate_latest(familiar) + generate_latest(services.metrics.registry)
        return Response(figures if shown else b"", content_type=CONTENT_TYPE_LATEST)

    return (
        Route("GET", "/tools/metrics", get),
        Route("PUT", "/tools/metrics", put),
        Route("GET", "/tools/metrics-prometheus", scrape),
    )


class _Familiar(Collector):
    """Gauges under the names that Orthanc gives them, measured when they are asked for."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See prometheus_client."""
        for name, value in {**self._stored(), **self._jobs()}.items():
            yield GaugeMetricFamily(f"orthanc_{name}", "As in Orthanc", value)

    def _stored(self) -> Mapping[str, float]:
        found = totals(self._services.store.engine)
        return {
            "count_patients": found.resources[Level.PATIENT],
            "count_studies": found.resources[Level.STUDY],
            "count_series": found.resources[Level.SERIES],
            "count_instances": found.resources[Level.INSTANCE],
            "disk_size_mb": found.size_bytes / (1 << 20),
            "uncompressed_size_mb": found.size_bytes / (1 << 20),
        }

    def _jobs(self) -> Mapping[str, float]:
        states = Counter(job.state for job in self._services.jobs.list())
        return {
            "jobs_pending": states[JobState.PENDING],
            "jobs_running": states[JobState.RUNNING],
            "jobs_success": states[JobState.SUCCESS],
            "jobs_failed": states[JobState.FAILURE],
            "jobs_completed": states[JobState.SUCCESS] + states[JobState.FAILURE],
        }
