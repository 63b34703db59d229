"""The options of primitives: what a script may say, and the words when it says something else."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.config.schema import at
from gateway.config.transcoding import OPTIONS, TranscodeSettings
from gateway.config.values import AeTitle
from gateway.dicom import rates, syntaxes
from gateway.dicom.rates import AS_STORED
from gateway.dicom.syntaxes import TransferSyntax, UnknownTransferSyntax
from gateway.model import TranscodeOptions

Value = str | bool | int | float | None  # what crosses the border between Lua and Python
Options = dict[str, Any]
Known = Mapping[str, Callable[[Value], Any]]

_AS_STORED_IS_NO_TARGET = (
    "'*', as stored, is for Forward only; to go on with what is stored when nothing else is"
    " possible, say on_failure = 'keep'"
)
_AE_TITLE: TypeAdapter[str] = TypeAdapter(AeTitle)


class PrimitiveRefused(ValueError):
    """A primitive was called in a way that cannot be meant; raised in the script, at its line."""


def checked(given: tuple[Value, ...], known: Known) -> Options:
    """name, value, name, value... as a checked mapping. Raises PrimitiveRefused."""
    if given in ((), (None,)):
        return {}
    if len(given) == 1:
        raise PrimitiveRefused(f"expected a table of options, got {shown(given[0])}")
    options: Options = {}
    for name, value in zip(given[::2], given[1::2], strict=True):
        if not isinstance(name, str) or name not in known:
            raise PrimitiveRefused(f"unknown option {name!r}; known are {', '.join(known)}")
        try:
            options[name] = known[name](value)
        except ValueError as exc:
            raise PrimitiveRefused(f"option {name} must be {exc}, not {shown(value)}") from exc
    return options


def parameters_of(options: Options) -> dict[str, Any]:
    """Options as a step keeps them: those of transcoding apart from those of the primitive."""
    transcoding = {name: value for name, value in options.items() if name in OPTIONS}
    parameters = {name: value for name, value in options.items() if name not in OPTIONS}
    return parameters | ({"options": transcoding} if transcoding else {})


def shown(value: Value) -> str:
    """A value as the script would write it."""
    if value is None:
        return "nil"
    return str(value).lower() if isinstance(value, bool) else repr(value)


# --- ladders -------------------------------------------------------------------------------------


def ladder(names: str) -> tuple[TransferSyntax, ...]:
    """The rungs of "htj2k, j2k, explicit". Raises PrimitiveRefused."""
    try:
        return syntaxes.ladder(names)
    except UnknownTransferSyntax as exc:
        if AS_STORED in names.replace(" ", "").split(","):
            raise PrimitiveRefused(_AS_STORED_IS_NO_TARGET) from exc
        known = ", ".join(ts.keyword for ts in syntaxes.ALL)
        raise PrimitiveRefused(f"{exc}; known are {known}, their UIDs and short names") from exc


def sending_ladder(names: str) -> list[str]:
    """The same as UIDs, among them perhaps "*", which stands for the syntax as stored."""
    entries = [name.strip() for name in names.split(",")]
    return list(
        dict.fromkeys(entry if entry == AS_STORED else ladder(entry)[0].uid for entry in entries)
    )


def short_names(entries: Iterable[str]) -> str:
    """UIDs of syntaxes, and "*", as a ladder that a script can hand on."""
    return ", ".join(
        entry if entry == AS_STORED else syntaxes.by_uid(entry).short for entry in entries
    )


def refuse_idle_rates(rungs: Iterable[TransferSyntax], options: Options) -> None:
    """A rate that no rung knows is a mistake. Raises PrimitiveRefused."""
    for rate in rates.idle_rates(rungs, _asked(options, TranscodeOptions())):
        raise PrimitiveRefused(
            f"option {rate} is for {rates.with_rate(rate)}: none of them is asked for"
        )


def refuse_lossy_replacement(
    rungs: Iterable[TransferSyntax], options: Options, site: TranscodeOptions
) -> None:
    """A lossy result must not take the place of the original under a UID of its own.

    Raises PrimitiveRefused.
    """
    asked = _asked(options, site)
    losing = [rung.keyword for rung in rungs if rates.loses(rung, asked)]
    if losing and options.get("replace") and not asked.keep_uid:
        raise PrimitiveRefused(
            f"option replace: {' and '.join(losing)} would lose something, and what is left is"
            " another SOP instance, which cannot take the place of the stored one; leave replace"
            " out, or say keep_uid = true"
        )


def _asked(options: Options, otherwise: TranscodeOptions) -> TranscodeOptions:
    return replace(otherwise, **{name: options[name] for name in OPTIONS if name in options})


# --- what an option may be; each raises ValueError with the words that say so ---------------------


def _flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - one kind of error for all options
    return value


def _on_failure(value: Value) -> str:
    if value not in ("refuse", "keep"):
        raise ValueError("'refuse' or 'keep'")
    return str(value)


def _ae_title(value: Value) -> str:
    try:
        return _AE_TITLE.validate_python(value, strict=True)
    except ValidationError as exc:
        raise ValueError("an AE title of 1 to 16 characters") from exc


def _syntaxes(value: Value) -> list[str]:
    if not isinstance(value, str):
        raise ValueError("a transfer syntax or a ladder")  # noqa: TRY004 - as above
    return sending_ladder(value)


def _transcoding(name: str) -> Callable[[Value], Any]:
    """Checked as the configuration is, and refused in the same words."""

    def check(value: Value) -> Any:
        try:
            settings = TranscodeSettings.model_validate({name: value}, strict=True)
        except ValidationError as exc:
            expected = at(("codecs", name))
            raise ValueError(expected.expectation if expected else "something else") from exc
        return getattr(settings, name)

    return check


_OF_TRANSCODING: Known = {name: _transcoding(name) for name in OPTIONS}
OF_TRANSCODE: Known = {"replace": _flag, "on_failure": _on_failure, **_OF_TRANSCODING}
OF_FORWARD: Known = {"calling_aet": _ae_title, "syntaxes": _syntaxes, **_OF_TRANSCODING}
