"""What Prometheus may ask of us. Labels are names of the site's choosing, never patient data."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """All counters of one gateway, in a registry of its own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.received = Counter(
            "gateway_received_instances", "Instances answered, by outcome", ["outcome"],
            registry=registry,
        )  # fmt: skip
        self.stored_bytes = Counter(
            "gateway_stored_bytes", "Bytes kept of received data sets", registry=registry
        )
        self.associations = Gauge(
            "gateway_open_associations", "Associations that peers have open", registry=registry
        )
        self.events_waiting = Gauge(
            "gateway_events_waiting", "Events that a script has not handled", ["script"],
            registry=registry,
        )  # fmt: skip
        self.script_seconds = Histogram(
            "gateway_script_seconds", "Time a callback took", ["script", "callback"],
            registry=registry,
        )  # fmt: skip
        self.tasks = Gauge("gateway_tasks", "Tasks by state", ["state"], registry=registry)
        self.codec_seconds = Counter(
            "gateway_codec_seconds", "Time spent in codec processes, by target syntax", ["syntax"],
            registry=registry,
        )  # fmt: skip
        self.lossy = Counter(
            "gateway_lossy_results", "Transcodings that lost something, by target syntax",
            ["syntax"], registry=registry,
        )  # fmt: skip
        self.forwarded = Counter(
            "gateway_forwarded_instances", "Instances a destination accepted", ["destination"],
            registry=registry,
        )  # fmt: skip
        self.followed = Counter(
            "gateway_followed_instances", "Instances of a source that is followed, by outcome",
            ["source", "outcome"], registry=registry,
        )  # fmt: skip
        self.source_up = Gauge(
            "gateway_source_up", "1 while a source that is followed can be followed", ["source"],
            registry=registry,
        )  # fmt: skip
        self.errors = Counter(
            "gateway_errors", "What went wrong, by kind", ["kind"], registry=registry
        )
