"""What can be known about a configuration on this machine without starting the gateway."""

import errno
import os
import shutil
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.config.certificate import server_context
from gateway.config.models import Configuration, Follow, Http
from gateway.config.schema import place_text
from gateway.dicom import rates
from gateway.errors import Fault


@dataclass(frozen=True, slots=True)
class MachineReport:
    """faults: `gateway run` would not work. notes: worth knowing, nothing is wrong for sure."""

    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]


def examine(configuration: Configuration) -> MachineReport:
    """Look at folders, free space, ports and idle options. Nothing is created or stays open."""
    faults = [
        *_data_folder_faults(configuration),
        *_scripts_folder_faults(configuration.scripts.folder),
        *_legacy_faults(configuration.scripts.legacy),
        *_certificate_faults(configuration.http),
        *_source_faults(configuration.follow),
    ]
    notes = [
        *_scripts_folder_notes(configuration.scripts.folder),
        *_idle_rates(configuration),
        *_open_doors(configuration.http),
        *_source_notes(configuration.follow),
    ]
    for key, host, port in _listeners(configuration):
        problem = _listening_problem(host, port)
        if problem and problem.errno == errno.EADDRINUSE:
            # Mostly a configuration is checked beside a gateway that runs already.
            notes.append(Fault(key, f"{host}:{port} is in use", "by the gateway, if it runs now"))
        elif problem:
            faults.append(Fault(key, f"cannot listen on {host}:{port}: {problem.strerror}"))
    return MachineReport(tuple(faults), tuple(notes))


def _data_folder_faults(configuration: Configuration) -> list[Fault]:
    key, folder = "store.folder", configuration.store.folder
    existing = _nearest_existing(folder)
    if not existing.is_dir():
        return [Fault(key, f"{existing} is not a folder")]
    if not os.access(existing, os.W_OK | os.X_OK):
        verb = "written" if existing == folder else "created"
        return [Fault(key, f"{folder} cannot be {verb}", f"allow this user to write {existing}")]
    free_mb = shutil.disk_usage(existing).free >> 20
    if free_mb < configuration.store.minimum_free_mb:
        return [
            Fault(
                "store.minimum_free_mb",
                f"only {free_mb} MB are free in {existing}, less than"
                f" {configuration.store.minimum_free_mb}: every C-STORE would be refused",
                "make room, or lower the limit",
            )
        ]
    return []


def _nearest_existing(folder: Path) -> Path:
    """The folder itself, or the one in which it would have to be created."""
    absolute = folder.absolute()
    return next(place for place in (absolute, *absolute.parents) if place.exists())


def _scripts_folder_faults(folder: Path) -> list[Fault]:
    if not folder.exists():
        return []
    if not folder.is_dir():
        return [Fault("scripts.folder", f"{folder} is not a folder")]
    if not os.access(folder, os.R_OK | os.X_OK):
        return [Fault("scripts.folder", f"{folder} cannot be read", "allow this user to read it")]
    return []


def _legacy_faults(files: tuple[Path, ...]) -> list[Fault]:
    return [
        Fault(f"scripts.legacy[{number}]", f"{file} is not a file that can be read")
        for number, file in enumerate(files, 1)
        if not (file.is_file() and os.access(file, os.R_OK))
    ]


def _scripts_folder_notes(folder: Path) -> list[Fault]:
    if folder.exists():
        return []
    return [
        Fault("scripts.folder", f"{folder} does not exist", "no script of it runs until it does")
    ]


def _idle_rates(configuration: Configuration) -> list[Fault]:
    """Rates that no syntax of their destination knows; a script may name one that does."""
    return [
        Fault(
            f"{place_text(('destinations', name, 'transcode'))}.{rate}",
            "is for none of the syntaxes that this destination lists by name",
            f"it does something for {rates.with_rate(rate)}",
        )
        for name, destination in configuration.destinations.items()
        for rate in rates.idle_rates(
            rates.made_for(destination.syntaxes), destination.transcode.options()
        )
    ]


def _certificate_faults(http: Http) -> list[Fault]:
    if not (http.certificate and http.private_key):
        return []
    try:
        server_context(http.certificate, http.private_key)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        return [Fault("http.certificate", f"cannot be used with its key: {reason}")]
    return []


def _source_faults(follows: Sequence[Follow]) -> list[Fault]:
    faults = []
    for place, follow in enumerate(follows):
        try:
            if follow.trusted_certificates:
                ssl.create_default_context(cafile=str(follow.trusted_certificates))
        except OSError as exc:
            key = place_text(("follow", place, "trusted_certificates"))
            faults.append(Fault(key, f"cannot be used: {exc.strerror or exc}"))
    return faults


def _source_notes(follows: Sequence[Follow]) -> list[Fault]:
    """What an administrator should have meant."""
    notes = []
    for place, follow in enumerate(follows):
        if follow.username is not None and follow.url.startswith("http:"):
            key = place_text(("follow", place, "password"))
            notes.append(Fault(key, "travels legibly", "follow it by https"))
        if follow.url.startswith("https:") and not follow.check_certificate:
            key = place_text(("follow", place, "check_certificate"))
            remedy = "name its certificate in trusted_certificates"
            notes.append(Fault(key, "lets anybody pass for the source", remedy))
    return notes


def _open_doors(http: Http) -> list[Fault]:
    if not http.enabled or not http.remote_access:
        return []
    notes = []
    if not http.users:
        notes.append(
            Fault(
                "http.remote_access",
                "lets everybody who reaches it read and delete what is stored",
                "list who may under [http.users]",
            )
        )
    elif not http.certificate:
        notes.append(
            Fault("http.users", "have passwords that travel legibly", "set http.certificate")
        )
    return notes


def _listeners(configuration: Configuration) -> list[tuple[str, str, int]]:
    listeners = []
    if configuration.dicom.enabled:
        listeners.append(("dicom.port", configuration.dicom.host, configuration.dicom.port))
    if configuration.http.enabled:
        listeners.append(("http.port", configuration.http.host, configuration.http.port))
    return listeners


def _listening_problem(host: str, port: int) -> OSError | None:
    """Why one cannot listen there, or None. The socket is closed again at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as exc:
        return exc
    return None
