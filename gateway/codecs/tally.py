"""What a batch came to, added up: sums per transfer syntax, and the first that went wrong."""

from collections import Counter
from dataclasses import dataclass, field

from gateway.codecs.batch import Ending, Outcome
from gateway.model import TranscodeReport

MOST_TROUBLES = 20


@dataclass(slots=True)
class Sum:
    """The files made in one transfer syntax.

    lowest_psnr_db, largest_error: of those that lost something and were measured, else None.
    """

    files: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    lowest_psnr_db: float | None = None
    largest_error: int | None = None

    @property
    def ratio(self) -> float:
        """How many times smaller the files have become."""
        return self.bytes_before / self.bytes_after if self.bytes_after else 0.0

    def add(self, report: TranscodeReport) -> None:
        """Count one file."""
        self.files += 1
        self.bytes_before += report.source_bytes
        self.bytes_after += report.target_bytes
        if report.psnr_db is not None:
            lowest = self.lowest_psnr_db
            self.lowest_psnr_db = report.psnr_db if lowest is None else min(lowest, report.psnr_db)
        if report.max_error is not None:
            self.largest_error = max(self.largest_error or 0, report.max_error)


@dataclass(slots=True)
class Tally:
    """All outcomes so far. made: by the UID of the syntax. native_bytes: of all frames recoded.

    troubles: the first of what failed or was kept as it was.
    """

    endings: Counter[Ending] = field(default_factory=Counter)
    made: dict[str, Sum] = field(default_factory=dict)
    native_bytes: int = 0
    troubles: list[Outcome] = field(default_factory=list)

    @property
    def files(self) -> int:
        """How many outcomes there are."""
        return self.endings.total()

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.endings[outcome.ending] += 1
        if outcome.ending in (Ending.FAILED, Ending.KEPT) and len(self.troubles) < MOST_TROUBLES:
            self.troubles.append(outcome)
        if outcome.ending is Ending.MADE and outcome.report:
            self.made.setdefault(outcome.report.target_syntax_uid, Sum()).add(outcome.report)
            self.native_bytes += outcome.report.native_bytes
