"""Legacy scripts, held against what a gateway really has: its functions and its routes."""

from collections.abc import Sequence
from pathlib import Path

from gateway.config.models import Configuration
from gateway.rest.application import Application
from gateway.rest.later import LATER
from gateway.scripting.legacy.examination import Examination, examine
from gateway.scripting.legacy.findings import Here
from gateway.scripting.legacy.inventory import names_of_globals
from gateway.scripting.runtime import Dialect
from gateway.trial.house import throw_away_gateway


def examine_scripts(
    paths: Sequence[Path], configuration: Configuration, *, knows_remotes: bool
) -> Examination:
    """Look at the files as one legacy set; none of them is run.

    knows_remotes: the configuration is the one that they are to run with, so that the names of
    modalities and peers can be compared. Raises GatewayError, OSError.
    """
    with throw_away_gateway(configuration) as gateway:
        inside = gateway.inside

        def here(lua: Dialect) -> Here:
            return Here(
                names_of_globals(inside.site, lua),
                lambda method, path: _missing(inside.application, method, path),
                tuple(configuration.destinations) if knows_remotes else None,
                tuple(configuration.peers) if knows_remotes else None,
            )

        return examine(paths, configuration.scripts, here)


def _missing(application: Application, method: str, path: str) -> str | None:
    """See Here."""
    route = application.route_of(method, path)
    return None if route is None else LATER.get((method, route), "")
