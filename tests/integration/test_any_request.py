"""Requests that nobody would make: whatever our OpenAPI description allows, and what it does not.

None of them is a fault of ours, as a 500 would be, and none does any harm.
"""

from collections.abc import Iterator, Mapping

import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from images import made_ct
from rest_support import GatewayApi, LazyCodecs

from gateway import logs
from gateway.dicom import charsets
from gateway.model import Level
from gateway.rest.expanded import PLURAL

# They write to a path, or connect to an address, that the request names.
REACHING_OUT = r"/export$|/echo$|/dicom-echo$|/store$|/store-straight$|/peers/\{peer\}/system$"
# What the description allows, and what it does not.
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
QUIETLY = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
}


@schemathesis.serializer("application/dicom")
def as_it_is(ctx: schemathesis.SerializationContext, value: object) -> bytes:
    """Bodies that are no DICOM file: any bytes, or any text."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayApi]:
    """An API with some images, which requests may delete."""
    configured, encoding = structlog.get_config(), charsets.default_encoding()
    logs.set_level("error")
    codecs = LazyCodecs()
    made = GatewayApi(tmp_path_factory.mktemp("any"), codecs)
    for number in range(20):
        made.store(made_ct(number, PatientID=f"P{number % 4}", PatientName="Grün^Jürgen"))
    yield made
    made.close()
    codecs.close()
    structlog.configure(**configured)
    charsets.set_default_encoding(encoding)


@pytest.fixture(scope="module")
def operations(api: GatewayApi) -> list[schemathesis.schemas.APIOperation]:
    """All that the description has, but for what reaches out; what deletes comes last."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", api.application)
    chosen = [
        result.ok() for result in schema.exclude(path_regex=REACHING_OUT).get_all_operations()
    ]
    return sorted(chosen, key=lambda each: each.method == "delete" or "delete" in each.path)


def made_real(api: GatewayApi, path: str, drawn: Mapping[str, object]) -> dict[str, object]:
    """Three times out of four, what a variable of the path names is there."""
    return {
        name: value if len(str(value)) % 4 == 3 else real(api, path, name, len(str(value)), value)
        for name, value in drawn.items()
    }


def real(api: GatewayApi, path: str, name: str, number: int, drawn: object) -> object:
    level = next((level for level in Level if PLURAL[level] == path.split("/")[1]), None)
    if name == "resource_id" and level and (known := api.services.catalogue.ids(level)):
        return known[number % len(known)]
    return {
        "frame": "0",
        "path": "PatientName",
        "name": ("dicom", "IndexInSeries")[number % 2],
    }.get(name, drawn)


def ask_anything(
    api: GatewayApi, operation: schemathesis.schemas.APIOperation, examples: int
) -> None:
    @settings(max_examples=examples, **QUIETLY)
    @given(case=st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES]))
    def ask(case: schemathesis.Case) -> None:
        if case.path_parameters:
            case.path_parameters = made_real(api, case.path, case.path_parameters)
        response = case.call()
        assert response.status_code < 500 or response.status_code == 501, (
            case.as_curl_command(), response.text,
        )  # fmt: skip

    ask()


@pytest.mark.parametrize(
    "examples", [1, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_no_request_is_a_server_error(api, operations, examples):
    assert len(operations) > 200
    for operation in operations:
        ask_anything(api, operation, examples)
