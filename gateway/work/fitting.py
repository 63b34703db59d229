"""The file that a destination takes: as it is, or transcoded down the ladder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.dicom import syntaxes
from gateway.dicom.rates import loses
from gateway.dimse.contexts import Choice, Need
from gateway.errors import NoAcceptableSyntax, TranscodeUnsupported
from gateway.logs import logger
from gateway.model import TranscodeOptions, TranscodeReport
from gateway.store.files import StagedFile
from gateway.store.modalities import Modality
from gateway.work.transcoding import Transcoding

log = logger("forward")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to be sent. instance_id: "" when it is none of ours."""

    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str
    instance_id: str = ""


def need_of(
    modality: Modality, sop_class_uid: str, stored_syntax_uid: str, ladder: Sequence[str] = ()
) -> Need:
    """What such a file may be sent in. ladder: in place of the modality's own."""
    chosen = tuple(ladder) or modality.destination.syntaxes
    # As it is, and not even uncompressed, which "*" would allow.
    rungs = chosen if modality.may_transcode else (stored_syntax_uid,)
    return Need(sop_class_uid, stored_syntax_uid, rungs)


def fit(
    parcel: Parcel,
    choice: Choice,
    accepted: frozenset[str],
    transcoding: Transcoding,
    options: TranscodeOptions,
) -> StagedFile | None:
    """What is made for the destination; None when the file goes as it is.

    accepted: the transfer syntaxes that the destination takes for its SOP class. Raises
    TranscodeError, NoAcceptableSyntax.
    """
    if not choice.ladder:
        return None
    try:
        return _make(parcel, choice.ladder, accepted, transcoding, options)
    except (TranscodeUnsupported, NoAcceptableSyntax) as refusal:
        if not choice.as_stored:
            raise
        log.info(
            "instance goes as stored",
            instance=parcel.instance_id,
            syntax=syntaxes.label(parcel.transfer_syntax_uid),
            refused=str(refusal),
        )
        return None


def _make(
    parcel: Parcel,
    ladder: tuple[str, ...],
    accepted: frozenset[str],
    transcoding: Transcoding,
    options: TranscodeOptions,
) -> StagedFile:
    staged, report = transcoding.make(parcel.path, parcel.instance_id, ladder, options)
    if report.target_syntax_uid in accepted:
        return staged
    staged.discard()
    left = _left(ladder, report, options)
    if left and left != ladder:
        return _make(parcel, left, accepted, transcoding, options)
    raise NoAcceptableSyntax(
        f"{_reason(report.changed)} {syntaxes.label(report.target_syntax_uid)},"
        " which the destination does not accept"
    )


def _left(
    ladder: tuple[str, ...], report: TranscodeReport, options: TranscodeOptions
) -> tuple[str, ...]:
    """The rungs that may still do when the result cannot be sent."""
    rungs = map(syntaxes.by_uid, ladder)
    if report.changed:  # the loss was more than allowed, and it was made without any
        return tuple(rung.uid for rung in rungs if not loses(rung, options))
    # Without pixels there is nothing to compress: a rung that would leaves it as it is.
    return tuple(rung.uid for rung in rungs if not rung.is_encapsulated)


def _reason(changed: bool) -> str:
    return "comes out in" if changed else "has nothing to compress, and stays in"
