"""A configuration of ours from that of an Orthanc: to run with it, or to write it down as TOML."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from gateway.config.loader import inspect_tree
from gateway.config.models import Configuration
from gateway.config.orthanc_import import Import
from gateway.config.orthanc_json import read
from gateway.config.orthanc_translation import translate
from gateway.errors import ConfigurationInvalid, Fault


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a configuration says, and what is to be said about it.

    faults: why the gateway cannot run with it; then the configuration is worth nothing. notes: what
    is not supported, not known, or differs in that of an Orthanc. tree: our own keys and values,
    before the environment has overridden any.
    """

    configuration: Configuration
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...] = ()
    tree: Mapping[str, Any] = field(default_factory=dict)


def inspect_orthanc(paths: Sequence[Path], environment: Mapping[str, str]) -> Inspected:
    """Read Orthanc's files and folders as one configuration, with every fault and every note.

    environment: for `${NAME}` in the files, and for what overrides keys of ours.
    """
    try:
        source = read(paths, environment)
    except ConfigurationInvalid as exc:
        return Inspected(Configuration(), exc.faults)
    found = Import(source)
    translate(found)
    tree = deepcopy(found.tree)
    configuration, faults = inspect_tree(found.tree, environment, found.named)
    return Inspected(configuration, (*found.faults, *faults), tuple(found.notes), tree)


def load_orthanc(
    paths: Sequence[Path], environment: Mapping[str, str]
) -> tuple[Configuration, tuple[Fault, ...]]:
    """The configuration, and the notes. Raises ConfigurationInvalid with every fault."""
    inspected = inspect_orthanc(paths, environment)
    if inspected.faults:
        raise ConfigurationInvalid(inspected.faults)
    return inspected.configuration, inspected.notes


def as_toml(inspected: Inspected) -> str:
    """The configuration as a file of our own, with the notes as comments on top.

    Reading it gives an equal configuration. Raises ConfigurationInvalid for a list with null in it,
    which is nothing that TOML can say.
    """
    for key, value in inspected.tree["orthanc"].items():
        if _has_null(value):
            problem = "has null in a list, which TOML cannot say"
            raise ConfigurationInvalid([Fault(key, problem, "take it out of the list")])
    comments = [f"# {line}" for note in inspected.notes for line in str(note).splitlines()]
    head = ["# Made from the configuration of an Orthanc by `gateway config import`.", *comments]
    return "\n".join(head) + "\n\n" + tomli_w.dumps(inspected.tree)


def _has_null(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_null, value.values()))
    if isinstance(value, list):
        return any(each is None or _has_null(each) for each in value)
    return False
