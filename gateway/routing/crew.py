"""All workers of the routing room: built, started and stopped together."""

import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gateway.config.models import Configuration
from gateway.logs import logger
from gateway.metrics import Metrics
from gateway.model import Action
from gateway.ports import UNFILTERED, Codecs, Filters
from gateway.routing.commands import CommandWorker
from gateway.routing.forwarding import ForwardWorker
from gateway.routing.housekeeping import REST_S, Housekeeping
from gateway.routing.link import Link
from gateway.routing.loop import Loop, Work
from gateway.routing.modifying import ModifyWorker
from gateway.routing.peers import PeerLink, StoredFiles
from gateway.routing.preparation import Preparation
from gateway.routing.retry import RetryPolicy
from gateway.routing.senders import Senders, Sending
from gateway.routing.signal import WorkSignals
from gateway.routing.transcoding import TranscodeWorker
from gateway.store.capacity import Capacity
from gateway.store.ingest import StoreIngest
from gateway.store.modalities import Modalities, Modality
from gateway.store.opened import Store
from gateway.store.peers import Peer, Peers
from gateway.store.stability import Stability
from gateway.work.remaking import Remaker
from gateway.work.transcoding import Transcoding

log = logger("routing")
# Each waits for the device and for other programs far more than for a processor of ours.
_MODIFIERS = _COMMANDS = 4


@dataclass(frozen=True, slots=True)
class Means:
    """What work is done with. processes: how many codec processes there are."""

    settings: Configuration
    metrics: Metrics
    store: Store
    ingest: StoreIngest
    capacity: Capacity
    codecs: Codecs
    processes: int
    modalities: Modalities
    peers: Peers
    signals: WorkSignals
    filters: Filters = UNFILTERED


class Crew:
    """start() it, stop() it once."""

    def __init__(self, means: Means) -> None:
        self._means = means
        settings, store = means.settings, means.store
        self._options = settings.codecs.options()
        self._transcoding = Transcoding(store.files, means.codecs, self._options, means.metrics)
        self._retry = RetryPolicy.of(settings.retry)
        # Destinations wait here for codec processes; more threads would only wait longer.
        self._waiting = ThreadPoolExecutor(means.processes, "prepare")
        self._loops = [
            self._housekeeping(),
            *(self._loop("transcode", number, Action.TRANSCODE, self._transcoder())
              for number in range(means.processes)),
            *(self._loop("modify", number, Action.MODIFY, self._modifier())
              for number in range(_MODIFIERS)),
            *(self._loop("command", number, Action.CALL, self._commander())
              for number in range(_COMMANDS)),
        ]  # fmt: skip
        self._senders = Senders(self._sendings(), means.signals, means.metrics)

    def start(self) -> None:
        """Begin with all that waits."""
        for loop in self._loops:
            loop.start()
        open_tasks = self._means.store.board.remotes()
        configured = {(Action.FORWARD, name) for name in self._means.settings.destinations}
        self._senders.start(open_tasks | configured)

    def stop(self, grace_s: float) -> None:
        """End all work in hand, or give it back."""
        loops = [*self._loops, *self._senders.stop()]
        _stop_all(loops, grace_s)
        self._waiting.shutdown(wait=False)

    def _loop(self, name: str, number: int, action: Action, work: Work) -> Loop:
        return Loop(f"{name}-{number}", work, self._means.signals.of(action), self._means.metrics)

    def _housekeeping(self) -> Loop:
        means, store = self._means, self._means.store
        age_s = means.settings.store.stable_age_s
        stability = Stability(store.engine, store.committer, age_s)
        worker = Housekeeping(store.tasks, store.outbox, store.reclaimer, stability, means.capacity)
        signal = means.signals.of(Action.DELETE)
        return Loop("housekeeping", worker, signal, means.metrics, rest_s=REST_S)

    def _transcoder(self) -> Work:
        store = self._means.store
        return TranscodeWorker(store.tasks, store.files, self._transcoding, self._means.metrics)

    def _modifier(self) -> Work:
        means = self._means
        remaker = Remaker(means.store.files, means.codecs, self._options)
        return ModifyWorker(means.store.tasks, means.ingest, remaker, means.metrics)

    def _commander(self) -> Work:
        means = self._means
        timeout_s = means.settings.scripts.command_timeout_s
        return CommandWorker(means.store.tasks, means.store.files, timeout_s, means.metrics)

    def _sendings(self) -> dict[Action, Sending]:
        return {
            Action.FORWARD: Sending(
                self._means.modalities.get,
                self._to_modality,
                lambda modality: modality.destination.associations,
            ),
            Action.SEND_TO_PEER: Sending(self._means.peers.get, self._to_peer, lambda peer: 1),
        }

    def _to_modality(self, name: str, modality: Modality) -> Work:
        means = self._means
        link = Link(modality.destination, means.settings.dicom.aet)
        files = Preparation(
            modality, means.store.files, self._transcoding, self._waiting, means.filters
        )
        return ForwardWorker(name, link, means.store.tasks, files, self._retry, means.metrics)

    def _to_peer(self, name: str, peer: Peer) -> Work:
        store, metrics = self._means.store, self._means.metrics
        return ForwardWorker(
            name,
            PeerLink(peer),
            store.tasks,
            StoredFiles(store.files),
            self._retry,
            metrics,
            action=Action.SEND_TO_PEER,
        )


def _stop_all(loops: Collection[Loop], grace_s: float) -> None:
    for loop in loops:
        loop.stop()
    deadline = time.monotonic() + grace_s
    for loop in loops:
        if not loop.join(max(0.0, deadline - time.monotonic())):
            log.warning("a worker did not end in time", worker=loop.name)
