"""Who may associate, and what is accepted of what they propose. Pure decisions, no sockets.

Standard: PS3.8 7.1.1 and 9.3.4 (admission), 9.3.3.2 (contexts).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from pydicom.uid import UID
from pynetdicom.service_class import (
    NonPatientObjectStorageServiceClass,
    StorageServiceClass,
    VerificationServiceClass,
)
from pynetdicom.sop_class import uid_to_service_class

from gateway.config.models import Caller, Dicom, Syntaxes
from gateway.dicom import syntaxes
from gateway.dicom.syntaxes import Family
from gateway.ports import UNKNOWN_SOP_CLASS

VERIFICATION = "1.2.840.10008.1.1"

Network = IPv4Network | IPv6Network

# Result, source, reason: PS3.8 9.3.4.
_NO_REASON_GIVEN = (1, 1, 1)
_CALLING_AET_NOT_RECOGNIZED = (1, 1, 3)
_CALLED_AET_NOT_RECOGNIZED = (1, 1, 7)
_LOCAL_LIMIT_EXCEEDED = (2, 3, 2)

# C-ECHO carries no data set: what the configuration accepts of images does not concern it.
_FOR_ECHO = frozenset({syntaxes.IMPLICIT_LE.uid, syntaxes.EXPLICIT_LE.uid})


class Service(StrEnum):
    """What a SOP class is for."""

    ECHO = "echo"
    STORE = "store"
    OTHER = "other"  # known, and nothing that we provide
    UNKNOWN = "unknown"  # private, or newer than our tables


_SWITCHES = frozenset(Syntaxes.model_fields) - {"accept"}
_FAMILY_OF: Mapping[str, str] = {syntax.uid: syntax.family for syntax in syntaxes.ALL}
_NAMED_STORAGE_WITHOUT_BEING_IT = ("Storage Commitment", "Media Storage Directory")


@lru_cache(maxsize=1024)
def service_of(sop_class_uid: str) -> Service:
    """What pynetdicom's and pydicom's tables know of a SOP class.

    Retired storage classes count as storage: old archives are full of such instances.
    """
    service_class = uid_to_service_class(sop_class_uid)
    if service_class is VerificationServiceClass:
        return Service.ECHO
    uid = UID(sop_class_uid)
    if service_class in (StorageServiceClass, NonPatientObjectStorageServiceClass):
        return Service.OTHER if uid.type == "Service Class" else Service.STORE
    if (
        uid.type == "SOP Class"
        and "Storage" in uid.name
        and not uid.name.startswith(_NAMED_STORAGE_WITHOUT_BEING_IT)
    ):
        return Service.STORE
    is_known = bool(uid.type) or service_class.__name__ != "ServiceClass"
    return Service.OTHER if is_known else Service.UNKNOWN


@dataclass(frozen=True, slots=True)
class Accept:
    """The association is welcome for these services."""

    allow: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reject:
    """The association is refused: what the peer is told (PS3.8 9.3.4), and what our log says."""

    result: int
    source: int
    reason: int
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says about who may do what, ready to be asked."""

    aet: str
    check_called_aet: bool
    allow_unknown_callers: bool
    unknown_callers_may: frozenset[str]
    ignore_case_of_aets: bool
    accept_unknown_sop_classes: bool
    maximum_associations: int
    networks: tuple[Network, ...]
    callers: tuple[Caller, ...]
    transfer_syntaxes: frozenset[str]
    named_syntaxes: frozenset[str] = frozenset()  # those that could be, with every switch on

    @classmethod
    def of(cls, settings: Dicom) -> "Policy":
        """The policy that these settings describe."""
        return cls(
            settings.aet,
            settings.check_called_aet,
            settings.allow_unknown_callers,
            frozenset(settings.unknown_callers_may),
            settings.ignore_case_of_aets,
            settings.accept_unknown_sop_classes,
            settings.maximum_associations,
            settings.networks,
            settings.callers,
            accepted_syntaxes(settings),
            frozenset(syntax.uid for syntax in syntaxes.matching(settings.syntaxes.accept)),
        )

    def is_same_aet(self, one: str, other: str) -> bool:
        """Whether two AE titles are one: PS3.5 6.2 distinguishes case, and Orthanc does not."""
        if self.ignore_case_of_aets:
            return one.upper() == other.upper()
        return one == other

    def may_connect(self, remote_ip: str) -> bool:
        """Whether the address may speak to us at all."""
        return not self.networks or _is_within(remote_ip, self.networks)

    def accepts_class(self, sop_class_uid: str, allow: frozenset[str]) -> bool:
        """Whether a caller with these rights may use the SOP class."""
        service = service_of(sop_class_uid)
        if service is Service.UNKNOWN:
            return self.accept_unknown_sop_classes and Service.STORE in allow
        return service in allow


def accepted_syntaxes(settings: Dicom) -> frozenset[str]:
    """The transfer syntaxes whose switch is on and which a pattern of `accept` names."""
    switches = settings.syntaxes.model_dump(exclude={"accept"})
    return frozenset(
        syntax.uid
        for syntax in syntaxes.matching(settings.syntaxes.accept)
        if switches.get(syntax.family.value, True)
    )


def questions(proposed: Iterable[tuple[str, Sequence[str]]]) -> frozenset[str]:
    """What scripts may have an opinion on, of these proposals: see Filters.association()."""
    found: set[str] = set()
    for sop_class_uid, offered in proposed:
        if service_of(sop_class_uid) is Service.UNKNOWN:
            found.add(UNKNOWN_SOP_CLASS)
        found.update(_FAMILY_OF.get(uid, "") for uid in offered)
    return frozenset(found & (_SWITCHES | {UNKNOWN_SOP_CLASS}))


def with_answers(policy: Policy, answers: Mapping[str, bool]) -> Policy:
    """The policy for one association: what scripts answered takes the place of switches."""
    accepted = set(policy.transfer_syntaxes)
    for family in _SWITCHES & answers.keys():
        of_family = {uid for uid in policy.named_syntaxes if _FAMILY_OF.get(uid) == family}
        accepted = accepted | of_family if answers[family] else accepted - of_family
    return replace(
        policy,
        transfer_syntaxes=frozenset(accepted),
        accept_unknown_sop_classes=answers.get(
            UNKNOWN_SOP_CLASS, policy.accept_unknown_sop_classes
        ),
    )


def judge(
    policy: Policy, *, calling_aet: str, called_aet: str, remote_ip: str, open_associations: int
) -> Accept | Reject:
    """Whether the association is accepted at all, and what its caller may do then.

    open_associations: how many are open besides this one.
    """
    if not policy.may_connect(remote_ip):
        return Reject(*_NO_REASON_GIVEN, "the address is in none of dicom.networks")
    if policy.check_called_aet and not policy.is_same_aet(called_aet, policy.aet):
        return Reject(*_CALLED_AET_NOT_RECOGNIZED, f"we are {policy.aet}")
    if open_associations >= policy.maximum_associations:
        return Reject(*_LOCAL_LIMIT_EXCEEDED, f"{open_associations} associations are open")
    return _judge_caller(policy, calling_aet, remote_ip)


def _judge_caller(policy: Policy, calling_aet: str, remote_ip: str) -> Accept | Reject:
    entries = [each for each in policy.callers if policy.is_same_aet(each.aet, calling_aet)]
    if not entries:
        if policy.allow_unknown_callers:
            return Accept(policy.unknown_callers_may)
        return Reject(*_CALLING_AET_NOT_RECOGNIZED, "dicom.callers does not list it")
    matching = [
        caller
        for caller in entries
        if not caller.networks or _is_within(remote_ip, caller.networks)
    ]
    if not matching:
        return Reject(*_CALLING_AET_NOT_RECOGNIZED, "it may not call from this address")
    return Accept(frozenset[str]().union(*(caller.allow for caller in matching)))


def _is_within(remote_ip: str, networks: Iterable[Network]) -> bool:
    address = ip_address(remote_ip)
    # A listener on "::" sees IPv4 peers as ::ffff:a.b.c.d; the administrator writes a.b.c.d.
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def accepted_contexts(
    policy: Policy, allow: frozenset[str], proposed: Iterable[tuple[str, Sequence[str]]]
) -> dict[str, tuple[str, ...]]:
    """SOP class -> the transfer syntaxes to accept for it, the most welcome first.

    proposed: the abstract syntax and the transfer syntaxes of each presentation context. A SOP
    class that is not accepted is left out; one without an acceptable syntax has none.
    """
    offers: dict[str, list[str]] = {}
    for sop_class_uid, offered in proposed:
        if policy.accepts_class(sop_class_uid, allow):
            offers.setdefault(sop_class_uid, []).extend(offered)
    return {
        sop_class_uid: rank(offered, policy.transfer_syntaxes | _beyond(sop_class_uid))
        for sop_class_uid, offered in offers.items()
    }


def _beyond(sop_class_uid: str) -> frozenset[str]:
    return _FOR_ECHO if service_of(sop_class_uid) is Service.ECHO else frozenset()


def rank(proposed: Iterable[str], accepted: frozenset[str]) -> tuple[str, ...]:
    """The accepted ones of the proposed syntaxes, the one to choose first.

    The standard leaves the choice to the acceptor (PS3.8 9.3.3.2). As we keep what we receive, the
    sender knows best what it has, and its order is the only hint that it can give: we follow it,
    with two exceptions. A lossy syntax comes last: a sender must not have to degrade an image
    because of us. And of the native syntaxes, which senders convert without a thought, Explicit VR
    Little Endian comes first: it keeps the VRs of private elements.
    """
    candidates = [syntaxes.lookup(uid) for uid in dict.fromkeys(proposed) if uid in accepted]
    ordered = sorted(candidates, key=lambda syntax: syntax.lossy)
    if syntaxes.EXPLICIT_LE in ordered:
        first_native = next(
            place for place, syntax in enumerate(ordered) if syntax.family is Family.NATIVE
        )
        ordered.remove(syntaxes.EXPLICIT_LE)
        ordered.insert(first_native, syntaxes.EXPLICIT_LE)
    return tuple(syntax.uid for syntax in ordered)
