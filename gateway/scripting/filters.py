"""Asking scripts before something is done: implements the Filters port.

Every script that defines a filter is asked, in the order of their names, and all must agree. Their
lanes say which version counts, see `expect` and `take_over`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TypeVar

from gateway.config.models import Scripts
from gateway.errors import FilterFailed, ScriptError
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Origin, OriginKind, Verdict
from gateway.scripting import callbacks
from gateway.scripting.callbacks import FILTERS, Callback
from gateway.scripting.failures import report_failure
from gateway.scripting.filter_runtime import Question
from gateway.scripting.filter_set import FilterSet, RefusingSet, Undefined
from gateway.scripting.runtime import Answer
from gateway.scripting.script import Script, origin_table
from gateway.scripting.site import Site
from gateway.scripting.unusable import Unusable

log = logger("scripting")
# Of one script; a filter that waits for a web service is asked for so many things side by side.
MOST_RUNTIMES = 16
# What they wait for may ask the gateway something, which asks the filter again.
_MOST_OUTSIDE = 128
_UNKNOWN = "what it filters is not known and goes UNFILTERED"
T = TypeVar("T")
# Receiving has runtimes of its own: what is asked for a request may itself wait for a receipt.
_RECEIVING = frozenset(
    {callbacks.RECEIVED_INSTANCE_FILTER.name, callbacks.RECEIVED_C_STORE_FILTER.name}
)


@dataclass(frozen=True, slots=True)
class _Filtering:
    """What one script filters. Until it has loaded, what its text seems to define.

    script: None while the files cannot even become one.
    """

    script: Script | None
    callbacks: frozenset[str]
    has_run: bool
    receiving: FilterSet | RefusingSet
    other: FilterSet | RefusingSet

    def runtimes(self, callback: str) -> FilterSet | RefusingSet:
        return self.receiving if callback in _RECEIVING else self.other

    def close(self) -> None:
        self.receiving.close()
        self.other.close()


class ScriptFilters:
    """The filters of all scripts; lanes tell it which version of theirs counts."""

    def __init__(self, settings: Scripts, metrics: Metrics) -> None:
        self._timeout_s = settings.filter_timeout_s
        self._patience_s = settings.timeout_s
        self._metrics = metrics
        self._lock = threading.Lock()  # of those who change what is asked; readers need none
        self._scripts: Mapping[str, _Filtering] = {}
        self._is_stopped = False
        self._is_open = threading.Event()
        # Before anybody has looked which scripts there are, each question has to wait for that.
        self.wants_received = self.wants_requests = True
        self.wants_sending = self.wants_associations = True

    # --- the port --------------------------------------------------------------------------------

    def received(
        self,
        tags: Mapping[str, object],
        origin: Origin,
        *,
        transfer_syntax_uid: str,
        has_pixel_data: bool,
    ) -> Verdict:
        """See the port."""
        info = {"HasPixelData": has_pixel_data, "TransferSyntaxUID": transfer_syntax_uid}
        about = (tags, origin_table(origin), info)
        for script, keeps in self._answers(callbacks.RECEIVED_INSTANCE_FILTER, _predicate, *about):
            if not keeps:
                return Verdict(keeps=False, script=script)
        if origin.kind is OriginKind.DICOM:
            for script, status in self._answers(callbacks.RECEIVED_C_STORE_FILTER, _status, *about):
                if status != 0:
                    return Verdict(keeps=False, script=script, dimse_status=status)
        return Verdict(keeps=True)

    def request(
        self, method: str, uri: str, remote_ip: str, username: str, headers: Mapping[str, bytes]
    ) -> bool:
        """See the port."""
        return self._agree(
            callbacks.INCOMING_HTTP_REQUEST_FILTER, method, uri, remote_ip, username, headers
        )

    def sending(self, tags: Mapping[str, object], *, aet: str, host: str) -> bool:
        """See the port."""
        destination = {"RemoteAet": aet, "RemoteIp": host}
        return self._agree(callbacks.OUTGOING_C_STORE_INSTANCE_FILTER, tags, destination)

    def association(
        self, calling_aet: str, remote_ip: str, questions: Set[str]
    ) -> Mapping[str, bool]:
        """See the port. One limit for all questions: the peer waits."""
        answers: dict[str, bool] = {}
        deadline_s = time.monotonic() + self._timeout_s
        for question in sorted(questions & callbacks.ACCEPTANCE.keys()):
            callback = callbacks.ACCEPTANCE[question]
            said = self._said(callback, (calling_aet, remote_ip), deadline_s)
            if said:
                answers[question] = all(said)
        return answers

    # --- what lanes say --------------------------------------------------------------------------

    def open(self) -> None:
        """All scripts that are there have been named by now, by `expect`."""
        with self._lock:
            self._is_open.set()
            self._set(self._scripts)

    def expect(self, script: Script, site: Site) -> None:
        """A version is about to be tried. It counts at once when no version ran before.

        So nothing slips by while the gateway starts. When it does not load, what its text seems to
        filter is refused: a filter may be there to protect something.
        """
        with self._lock:
            known = self._scripts.get(script.name)
            if known is not None and known.has_run:
                return
            guess = frozenset(name for name in FILTERS if script.seems_to_define(name))
            self._replace(script, site, guess, has_run=False)

    def refuse(self, name: str, unusable: Unusable) -> str:
        """The files cannot become a version. When none ran before, what they seem to filter fails.

        Of what cannot be read, only filters of text that was read before are known: to refuse all
        that could be filtered would stop receipt. Answers what has to be said of that, or "".
        """
        with self._lock:
            known = self._scripts.get(name)
            if known is not None and known.has_run:
                return ""
            guess = unusable.filters
            if known is not None and not unusable.is_read:
                guess |= known.callbacks
            nothing = RefusingSet(unusable.error)
            refusing = _Filtering(None, guess, False, nothing, nothing)
            self._set({**self._scripts, name: refusing})
        if unusable.is_read:
            return ""
        told = ", ".join(sorted(guess))
        return f"of its filters, only {told} are known" if told else _UNKNOWN

    def refused(self, name: str) -> frozenset[str]:
        """The filters that fail because no version of the script has loaded yet."""
        known = self._scripts.get(name)
        return frozenset() if known is None or known.has_run else known.callbacks

    def take_over(self, script: Script, site: Site, defined: tuple[str, ...]) -> None:
        """This version loaded, and is the one that counts from now on."""
        with self._lock:
            found = frozenset(defined) & FILTERS.keys()
            self._replace(script, site, found, has_run=True)

    def remove(self, name: str) -> None:
        """The script is gone."""
        with self._lock:
            self._set({key: value for key, value in self._scripts.items() if key != name})

    def stop(self, timeout_s: float) -> None:
        """Ask no more. What is being asked has so long; then its commands are interrupted."""
        deadline_s = time.monotonic() + timeout_s
        with self._lock:
            self._is_stopped = True
            self._is_open.set()
            filtering = tuple(self._scripts.values())
        for each in filtering:
            for runtimes in (each.receiving, each.other):
                runtimes.close()
                runtimes.join(deadline_s)
                runtimes.close(interrupt=True)

    def _replace(
        self, script: Script, site: Site, defined: frozenset[str], *, has_run: bool
    ) -> None:
        known = self._scripts.get(script.name)
        if known is not None and known.script is script:
            receiving, other = known.receiving, known.other
        else:
            # Orthanc has one state for what is received, and scripts that count in it.
            receiving = self._runtimes(script, site, is_one_state=script.is_legacy)
            other = self._runtimes(script, site)
        filtering = _Filtering(script, defined, has_run, receiving, other)
        self._set({**self._scripts, script.name: filtering})
        if self._is_stopped:
            filtering.close()
        for callback in defined:
            filtering.runtimes(callback).warm()

    def _runtimes(self, script: Script, site: Site, *, is_one_state: bool = False) -> FilterSet:
        return FilterSet(
            script,
            site,
            most=1 if is_one_state else MOST_RUNTIMES,
            most_outside=0 if is_one_state else _MOST_OUTSIDE,
            patience_s=self._patience_s,
        )

    def _set(self, scripts: Mapping[str, _Filtering]) -> None:
        outdated = [
            each
            for name, each in self._scripts.items()
            if name not in scripts or scripts[name].other is not each.other
        ]
        self._scripts = dict(sorted(scripts.items()))
        for each in outdated:
            each.close()
        if not self._is_open.is_set():
            return
        asked = frozenset[str]().union(*(each.callbacks for each in scripts.values()))
        self.wants_received = not asked.isdisjoint(_RECEIVING)
        self.wants_requests = callbacks.INCOMING_HTTP_REQUEST_FILTER.name in asked
        self.wants_sending = callbacks.OUTGOING_C_STORE_INSTANCE_FILTER.name in asked
        self.wants_associations = any(
            callback.name in asked for callback in callbacks.ACCEPTANCE.values()
        )

    # --- asking ----------------------------------------------------------------------------------

    def _agree(self, callback: Callback, *arguments: object) -> bool:
        """Whether every script says true. Raises FilterFailed."""
        for script, agrees in self._answers(callback, _predicate, *arguments):
            if not agrees:
                log.info("filter refuses", script=script, callback=callback.name)
                return False
        return True

    def _answers(
        self, callback: Callback, read: Callable[[Answer], T], *arguments: object
    ) -> Iterator[tuple[str, T]]:
        """Script and answer, one after the other. read: raises NoAnswer. Raises FilterFailed."""
        if not self._is_open.wait(self._patience_s):
            raise FilterFailed(f"{callback.name}: which scripts there are is not known yet")
        question = Question(callback.name, arguments, self._timeout_s)
        for name, filtering in self._scripts.items():
            if callback.name not in filtering.callbacks:
                continue
            try:
                answer = read(self._ask(name, filtering, question))
            except Undefined:
                continue
            except ScriptError as exc:
                self._report(name, callback, exc)
                raise FilterFailed(
                    f"{callback.name} of {name} failed: {exc}",
                    is_no_answer=isinstance(exc, NoAnswer),
                ) from exc
            yield name, answer

    def _said(
        self, callback: Callback, arguments: tuple[str, ...], deadline_s: float
    ) -> list[bool]:
        """What those say who say anything; what goes wrong is only logged."""
        said: list[bool] = []
        self._is_open.wait(max(0.0, deadline_s - time.monotonic()))
        for name, filtering in self._scripts.items():
            left_s = deadline_s - time.monotonic()
            if callback.name not in filtering.callbacks or left_s <= 0:
                continue
            try:
                answer = self._ask(name, filtering, Question(callback.name, arguments, left_s))
            except Undefined:
                continue
            except ScriptError as exc:
                self._report(name, callback, exc)
                continue
            if isinstance(answer, bool):
                said.append(answer)
        return said

    def _ask(self, name: str, filtering: _Filtering, question: Question) -> Answer:
        seconds = self._metrics.script_seconds.labels(script=name, callback=question.callback)
        with seconds.time():
            return filtering.runtimes(question.callback).ask(question)

    def _report(self, script: str, callback: Callback, error: ScriptError) -> None:
        report_failure(self._metrics, "filter failed", error, script=script, callback=callback.name)


class NoAnswer(ScriptError):
    """What a filter answered is nothing that it may answer."""

    kind = "filter-answer"


def _predicate(answer: Answer) -> bool:
    """Raises NoAnswer."""
    if not isinstance(answer, bool):
        raise NoAnswer(f"it must answer true or false, not {_kind_of(answer)}")
    return answer


def _status(answer: Answer) -> int:
    """Of DIMSE (PS3.7 C). Raises NoAnswer."""
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer <= 0xFFFF:
        raise NoAnswer(f"it must answer a status from 0 to 0xFFFF, not {_kind_of(answer)}")
    return answer


def _kind_of(answer: Answer) -> str:
    """Never the value itself: it may be of a patient."""
    kinds = {str: "a text", dict: "a table", list: "a table", bool: "a boolean"}
    return "nil" if answer is None else kinds.get(type(answer), "this number")
