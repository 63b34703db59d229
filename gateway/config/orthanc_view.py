"""Our configuration in the words of Orthanc's, for scripts that ask what they run in."""

from collections.abc import Mapping
from typing import Any

from gateway.config.models import Configuration, Destination


def as_orthanc(configuration: Configuration) -> Mapping[str, Any]:
    """What Orthanc's configuration file holds; without one, what ours means in its keys.

    No passwords: what a script knows, it may print.
    """
    if configuration.orthanc:
        return configuration.orthanc
    dicom, http, store = configuration.dicom, configuration.http, configuration.store
    return {
        "AuthenticationEnabled": bool(http.users),
        "ConcurrentJobs": configuration.jobs.concurrent,
        "DefaultEncoding": dicom.default_encoding,
        "DicomAet": dicom.aet,
        "DicomCheckCalledAet": dicom.check_called_aet,
        "DicomModalities": {
            name: _modality(destination) for name, destination in configuration.destinations.items()
        },
        "DicomPort": dicom.port,
        "ExecuteLuaEnabled": http.execute_lua,
        "HttpPort": http.port,
        "HttpServerEnabled": http.enabled,
        "HttpTimeout": configuration.scripts.http_timeout_s,
        "Name": configuration.rest.name or dicom.aet,
        "OverwriteInstances": store.duplicates == "overwrite",
        "RemoteAccessAllowed": http.remote_access,
        "SslEnabled": http.certificate is not None,
        "StableAge": store.stable_age_s,
        "StorageDirectory": str(store.folder),
        "UnknownSopClassAccepted": dicom.accept_unknown_sop_classes,
    }


def _modality(destination: Destination) -> list[Any]:
    return [destination.aet, destination.host, destination.port, destination.manufacturer]
