"""What keys must not say together although each is right by itself."""

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from gateway.config.models import Configuration
from gateway.config.schema import Place
from gateway.dicom import syntaxes
from gateway.errors import Fault

_ANY_ADDRESS = {"0.0.0.0", "::"}


def contradictions(configuration: Configuration, name_of: Callable[[Place], str]) -> list[Fault]:
    """Every contradiction; `name_of` says what the administrator calls a place."""
    rules = (
        _nobody_may_call,
        _no_syntax_accepted,
        _one_port_twice,
        _half_a_certificate,
        _delays_upside_down,
        _alike_destinations,
        _loops,
        _names_of_the_standard,
        _followed_twice,
        _follows_itself,
        _password_in_url,
    )
    return [
        Fault(name_of(place), problem, remedy)
        for rule in rules
        for place, problem, remedy in rule(configuration)
    ]


Findings = Iterator[tuple[Place, str, str]]


def _nobody_may_call(configuration: Configuration) -> Findings:
    dicom = configuration.dicom
    if dicom.enabled and not dicom.allow_unknown_callers and not dicom.callers:
        yield (
            ("dicom", "allow_unknown_callers"),
            "is false, and no caller is listed: nobody could send anything",
            "list who may call under [[dicom.callers]]",
        )


def _no_syntax_accepted(configuration: Configuration) -> Findings:
    switches = configuration.dicom.syntaxes
    named = syntaxes.matching(switches.accept)
    if not any(getattr(switches, syntax.family, True) for syntax in named):
        yield (
            ("dicom", "syntaxes", "accept"),
            "leaves no transfer syntax to accept",
            "add ImplicitVRLittleEndian, or turn the switch of a listed syntax on",
        )


def _one_port_twice(configuration: Configuration) -> Findings:
    dicom, http = configuration.dicom, configuration.http
    hosts = {dicom.host, http.host}
    both = http.enabled and dicom.enabled
    if both and http.port == dicom.port != 0 and (len(hosts) == 1 or hosts & _ANY_ADDRESS):
        yield ("http", "port"), f"{http.port} is dicom.port as well", "give each its own port"


def _half_a_certificate(configuration: Configuration) -> Findings:
    http = configuration.http
    for given, missing in (("certificate", "private_key"), ("private_key", "certificate")):
        if getattr(http, given) and not getattr(http, missing):
            yield ("http", missing), f"is missing, http.{given} is given", "HTTPS needs both"


def _delays_upside_down(configuration: Configuration) -> Findings:
    retry = configuration.retry
    if retry.maximum_delay_s < retry.first_delay_s:
        yield (
            ("retry", "maximum_delay_s"),
            f"{retry.maximum_delay_s:g} is less than retry.first_delay_s, {retry.first_delay_s:g}",
            "the maximum must not be less than the first delay",
        )


def _alike_destinations(configuration: Configuration) -> Findings:
    seen: dict[str, str] = {}
    for name in configuration.destinations:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            yield (
                ("destinations", name),
                f"differs from destination {other!r} only by upper and lower case",
                "one of them needs another name",
            )


def _loops(configuration: Configuration) -> Findings:
    """A destination that is this gateway: a script that forwards to it would never end."""
    dicom = configuration.dicom
    for name, destination in configuration.destinations.items():
        if (
            dicom.enabled
            and destination.port == dicom.port
            and _reaches(destination.host, dicom.host)
        ):
            yield (
                ("destinations", name, "host"),
                f"{destination.host}:{destination.port} is where this gateway listens itself",
                "what is sent there would come back",
            )


def _names_of_the_standard(configuration: Configuration) -> Findings:
    """An element of PS3.6 with another name would break whoever asks for its own."""
    if not configuration.dictionary:
        return
    # Not above: most configurations name no element, and pydicom takes 0.3 s to load.
    from pydicom.datadict import keyword_for_tag

    for tag, entry in configuration.dictionary.items():
        group, element = (int(digits, 16) for digits in tag.split(","))
        known = "" if group & 1 else keyword_for_tag(group << 16 | element)
        if known and known != entry.name:
            yield (
                ("dictionary", tag, "name"),
                f"{entry.name!r} cannot be the name of {tag}, which PS3.6 calls {known}",
                "take it out",
            )


def _followed_twice(configuration: Configuration) -> Findings:
    """What is remembered of a source is found by its name."""
    names = [follow.source for follow in configuration.follow]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield (
                ("follow", place, "name"),
                f"{name!r} is followed already",
                "give each its own name",
            )


def _follows_itself(configuration: Configuration) -> Findings:
    http = configuration.http
    for place, follow in enumerate(configuration.follow):
        url = urlsplit(follow.url)
        is_here = http.enabled and _port_of(url) == http.port
        if is_here and _reaches(url.hostname or "", http.host):
            yield ("follow", place, "url"), "is this gateway's own", "name the other server"


def _password_in_url(configuration: Configuration) -> Findings:
    for place, follow in enumerate(configuration.follow):
        if "@" in urlsplit(follow.url).netloc:
            yield (
                ("follow", place, "url"),
                "has a user in it, and URLs are logged",
                "say who we are with username and password",
            )


def _port_of(url: SplitResult) -> int | None:
    try:
        return url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return None


def _reaches(host: str, listening_host: str) -> bool:
    """True when `host` surely leads to a socket that listens on `listening_host`."""
    if host == listening_host or (host == "localhost" and _is_loopback(listening_host)):
        return True
    return listening_host in _ANY_ADDRESS and (host == "localhost" or _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
