"""What the gateway's DICOM interface takes and sends, in words. Standard: PS3.2."""

from collections.abc import Iterable

from gateway.config.models import Configuration
from gateway.dicom import syntaxes
from gateway.ports import Reception


def conformance_statement(settings: Configuration, reception: Reception) -> str:
    """A summary for who sets up a device that sends to this gateway."""
    accepted = sorted(
        (syntaxes.lookup(uid) for uid in reception.transfer_syntaxes), key=lambda each: each.uid
    )
    classes = "all storage SOP classes that the standard knows, retired ones among them"
    if reception.accepts_unknown_sop_classes:
        classes += ", and any other that is proposed"
    return "\n".join(
        (
            *_headed("DICOM conformance of this gateway", "="),
            f"Application entity: {settings.dicom.aet}, port {settings.dicom.port}",
            f"Largest PDU received: {settings.dicom.maximum_pdu_bytes} bytes",
            f"Associations at a time: {settings.dicom.maximum_associations}",
            "",
            *_headed("As a provider (SCP)", "-"),
            "C-ECHO: Verification, 1.2.840.10008.1.1",
            f"C-STORE: {classes}",
            "",
            *_headed("Transfer syntaxes accepted for C-STORE", "-"),
            *(f"{syntax.uid:<30}{syntax.keyword}" for syntax in accepted),
            "",
            *_headed("As a user (SCU)", "-"),
            "C-ECHO and C-STORE, of what is stored, to these destinations:",
            *_destinations(settings),
            "",
        )
    )


def _headed(title: str, line: str) -> Iterable[str]:
    return title, line * len(title), ""


def _destinations(settings: Configuration) -> Iterable[str]:
    """Their names only: addresses are nobody's business who may only read."""
    return [f"  {name}" for name in sorted(settings.destinations)] or ["  none is configured"]
