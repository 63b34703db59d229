"""What the routes work with: made once by app.py, handed to every module that has routes."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.config.models import Configuration
from gateway.metrics import Metrics
from gateway.ports import UNFILTERED, Codecs, Filters, Ingest, Reception
from gateway.rest.jobs import Jobs
from gateway.scripting.site import Site
from gateway.store.catalogue import Catalogue
from gateway.store.opened import Store


@dataclass(frozen=True, slots=True)
class Services:
    """stop: ends the gateway in good order, as SIGTERM does; restart: and starts it again.

    site: what scripts reach, the routes themselves included; known when all is built.
    """

    settings: Configuration
    metrics: Metrics
    store: Store
    catalogue: Catalogue
    ingest: Ingest
    codecs: Codecs
    reception: Reception
    jobs: Jobs
    stop: Callable[[], None]
    restart: Callable[[], None]
    site: Callable[[], Site]
    filters: Filters = UNFILTERED
