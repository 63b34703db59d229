"""`gateway transcode`: files and folders into another transfer syntax, without a gateway."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli.border import FAILED, say_error
from gateway.cli.mirror import InputsOverlap, Mirror
from gateway.cli.options import JsonOption
from gateway.cli.output import counted, print_json, progress_bar
from gateway.cli.summary import as_object, opened_report, print_summary
from gateway.codecs.batch import Batch, Ending, Outcome, failure, held
from gateway.codecs.tally import Tally

if TYPE_CHECKING:
    from gateway.config.models import Codecs
    from gateway.dicom.syntaxes import TransferSyntax

EXAMPLES = """Examples:

gateway transcode study/ --to j2k --out compressed/

gateway transcode archive/ --to htj2k,explicit --out out/ --report out.jsonl

gateway transcode ct.dcm --to j2k-lossy --ratio 10 --measure --out lossy/"""

_INTERRUPTED = 130
# What options are called, where that is not the name of the setting.
_OPTION_NAMES = {
    "processes": "--jobs",
    "timeout_s": "--timeout",
    "minimum_psnr_db": "--minimum-psnr",
}

InputsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN", exists=True, help="DICOM files, and folders to take all files from."
    ),
]
SyntaxesOption = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="SYNTAX[,SYNTAX...]",
        help="Transfer syntaxes, best first: the first that an image allows is made.",
    ),
]
OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", file_okay=False, help="The folder for the results."),
]
JobsOption = Annotated[
    int, typer.Option("--jobs", "-j", help="Codec processes; 0: one for each core.")
]
QualityOption = Annotated[
    int | None, typer.Option("--quality", help="1 to 100: for JPEG, and lossy JPEG XL.")
]
RatioOption = Annotated[
    float | None,
    typer.Option("--ratio", help="Native bytes / coded bytes: for lossy JPEG 2000 and HTJ2K."),
]
MaxErrorOption = Annotated[
    int | None,
    typer.Option("--max-error", help="Largest difference of a sample: for near-lossless JPEG-LS."),
]
PhotometricOption = Annotated[
    str | None,
    typer.Option("--photometric", metavar="NAME", help="What colour images are to be coded in."),
]
KeepUidOption = Annotated[
    bool, typer.Option("--keep-uid", help="Lossy results keep their SOP Instance UID.")
]
UnusedBitsOption = Annotated[
    Literal["refuse", "clear"],
    typer.Option("--unused-bits", help="What to do with bits above High Bit that cannot be held."),
]
NoVerifyOption = Annotated[
    bool, typer.Option("--no-verify", help="Do not decode lossless results again to compare.")
]
MeasureOption = Annotated[
    bool, typer.Option("--measure", help="Tell PSNR and largest error of lossy results.")
]
MinimumPsnrOption = Annotated[
    float | None,
    typer.Option("--minimum-psnr", metavar="DB", help="Worse results are made without loss."),
]
MemoryOption = Annotated[
    int | None, typer.Option("--memory-mb", help="What one codec process may use.")
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="The limit for one file.")
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Make results again that are there already.")
]
OnFailureOption = Annotated[
    Literal["keep", "refuse"],
    typer.Option("--on-failure", help="What cannot be transcoded is copied as it is, or left out."),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", dir_okay=False, help="Write a JSON line for each file."
    ),
]


def transcode(  # noqa: PLR0913 - an option is a parameter
    inputs: InputsArgument,
    to: SyntaxesOption,
    out: OutOption,
    jobs: JobsOption = 0,
    quality: QualityOption = None,
    ratio: RatioOption = None,
    max_error: MaxErrorOption = None,
    photometric: PhotometricOption = None,
    keep_uid: KeepUidOption = False,
    unused_bits: UnusedBitsOption = "refuse",
    no_verify: NoVerifyOption = False,
    measure: MeasureOption = False,
    minimum_psnr: MinimumPsnrOption = None,
    memory_mb: MemoryOption = None,
    timeout: TimeoutOption = None,
    overwrite: OverwriteOption = False,
    on_failure: OnFailureOption = "refuse",
    report: ReportOption = None,
    json: JsonOption = False,
) -> None:
    """Transcode DICOM files into a folder. Originals are never touched.

    The tree below each folder is mirrored in DIR, but for hidden files and DICOMDIR; what is not
    DICOM is left out. A lossless result is decoded by another library and compared before it
    appears. Interrupted or killed, the same command goes on where it was: what is in DIR already
    is not made again.
    """
    settings = _settings(
        verify=not no_verify,
        processes=jobs,
        quality=quality,
        ratio=ratio,
        max_error=max_error,
        photometric=photometric,
        keep_uid=keep_uid,
        unused_bits=unused_bits,
        measure=measure,
        minimum_psnr_db=minimum_psnr,
        memory_mb=memory_mb,
        timeout_s=timeout,
    )
    ladder = _ladder(to)
    _refuse_idle_rates(ladder, quality=quality, ratio=ratio, max_error=max_error)
    mirror, total = _survey(inputs, out)
    tally = Tally()
    began = perf_counter()
    interrupted = False
    with held(out), opened_report(report) as write, progress_bar("transcoding", total) as advance:

        def told(outcome: Outcome) -> None:
            write(outcome)
            tally.add(outcome)
            advance()

        try:
            _work(mirror, ladder, settings, told, overwrite=overwrite, keep=on_failure == "keep")
        except KeyboardInterrupt:
            interrupted = True
    seconds = perf_counter() - began
    if json:
        print_json(as_object(tally, seconds))
    else:
        print_summary(tally, seconds)
    if interrupted:
        say_error(
            f"interrupted after {tally.files} of {counted(total, 'file')};"
            " the same command goes on from there"
        )
        raise typer.Exit(_INTERRUPTED)
    if tally.endings[Ending.FAILED]:
        raise typer.Exit(FAILED)


def _settings(**said: Any) -> "Codecs":
    """The options as the configuration would have them. Raises BadParameter."""
    from pydantic import ValidationError

    from gateway.config.faults import fault_of
    from gateway.config.models import Codecs

    def option(place: tuple[str | int, ...]) -> str:
        name = str(place[-1])
        return _OPTION_NAMES.get(name, f"--{name.replace('_', '-')}")

    try:
        return Codecs(**{name: value for name, value in said.items() if value is not None})
    except ValidationError as exc:
        errors = exc.errors()
        for error in errors:
            error["loc"] = ("codecs", *error["loc"])
        raise typer.BadParameter(
            "; ".join(str(fault_of(error, option)) for error in errors)
        ) from None


def _ladder(names: str) -> "tuple[TransferSyntax, ...]":
    from gateway.dicom import syntaxes

    try:
        return syntaxes.ladder(names)
    except syntaxes.UnknownTransferSyntax as exc:
        known = ", ".join(syntax.short for syntax in syntaxes.ALL)
        raise typer.BadParameter(f"{exc}; known are {known}", param_hint="--to") from None


def _refuse_idle_rates(ladder: "tuple[TransferSyntax, ...]", **said: Any) -> None:
    """Raises BadParameter: a rate that no syntax of the ladder knows was meant to do something."""
    from gateway.dicom.rates import idle_rates, with_rate
    from gateway.model import TranscodeOptions

    for rate in idle_rates(ladder, TranscodeOptions(**said)):
        raise typer.BadParameter(
            f"is for {with_rate(rate)}", param_hint=f"--{rate.replace('_', '-')}"
        )


def _survey(inputs: list[Path], out: Path) -> tuple[Mirror, int]:
    """Where everything goes, and how much it is; nothing is touched. Raises BadParameter."""
    total = 0
    try:
        mirror = Mirror(inputs, out)
        with progress_bar("looking", None) as advance:
            unreadable: list[OSError] = []
            for _ in mirror.items(unreadable.append):
                total += 1
                advance()
    except InputsOverlap as exc:
        raise typer.BadParameter(str(exc), param_hint="IN") from None
    total += len(unreadable)
    if not total:
        raise typer.BadParameter("there is no file to transcode in there", param_hint="IN")
    return mirror, total


def _work(
    mirror: Mirror,
    ladder: "tuple[TransferSyntax, ...]",
    settings: "Codecs",
    told: Callable[[Outcome], None],
    *,
    overwrite: bool,
    keep: bool,
) -> None:
    from gateway.codecs.processes import CodecPool

    processes = settings.processes or len(os.sched_getaffinity(0))
    # One more: it looks at files and renames results while others wait for their codec process.
    threads = processes + 1
    # On Ctrl-C the codec processes end first, and with them what the threads wait for.
    with (
        ThreadPoolExecutor(threads) as executor,
        closing(
            CodecPool(
                processes=processes, memory_mb=settings.memory_mb, timeout_s=settings.timeout_s
            )
        ) as pool,
    ):
        uids = [syntax.uid for syntax in ladder]
        batch = Batch(pool, uids, settings.options(), told, overwrite=overwrite, keep=keep)

        def unreadable(error: OSError) -> None:
            batch.tell(failure(Path(error.filename), None, error))

        batch.run(mirror.items(unreadable), executor, at_once=2 * threads)
