"""Every configuration key, its type, its default and what it means.

docs/configuration.md describes each of them; a test fails when one is missing there.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from gateway.config.manufacturers import GENERIC, Manufacturer
from gateway.config.section import Section
from gateway.config.transcoding import TranscodeSettings, UnusedBits
from gateway.config.values import (
    AeTitle,
    DestinationName,
    ElementTag,
    Encoding,
    Host,
    ListeningPort,
    Network,
    Password,
    Port,
    Seconds,
    SecondsOrZero,
    SyntaxLadder,
    SyntaxName,
    SyntaxPattern,
    Url,
    ValueRepresentation,
)


class Syntaxes(Section):
    """Which transfer syntaxes the receiver accepts.

    The seven switches are those of older Orthanc versions. `accept` narrows further: a syntax is
    accepted when its switch is on and its UID matches one of the patterns.
    """

    deflated: bool = True
    jpeg: bool = True
    jpeg2000: bool = True
    jpeg_lossless: bool = True
    jpip: bool = True
    mpeg2: bool = True
    rle: bool = True
    accept: tuple[SyntaxPattern, ...] = Field(
        default=("*",), description="UIDs, keywords or short names, with * and ? as wildcards"
    )


Service = Literal["echo", "store"]
_SERVICES: frozenset[Service] = frozenset({"echo", "store"})


class Caller(Section):
    """One application entity that may call us.

    A calling AE title with an entry must match one of its entries.
    """

    aet: AeTitle
    networks: tuple[Network, ...] = Field(
        default=(), description="addresses it may call from; empty: from anywhere"
    )
    allow: frozenset[Service] = _SERVICES


class Dicom(Section):
    """The receiver: our C-STORE and C-ECHO SCP."""

    enabled: bool = True
    aet: AeTitle = "GATEWAY"
    host: Host = "0.0.0.0"
    port: ListeningPort = 11112
    check_called_aet: bool = False
    allow_unknown_callers: bool = Field(
        default=True, description="accept calling AE titles that `callers` does not list"
    )
    unknown_callers_may: frozenset[Service] = Field(
        default=_SERVICES, description="what calling AE titles may do that are not listed"
    )
    ignore_case_of_aets: bool = Field(
        default=False, description="compare AE titles as Orthanc does: against PS3.5 6.2"
    )
    networks: tuple[Network, ...] = Field(
        default=(), description="addresses that may connect at all; empty: all"
    )
    callers: tuple[Caller, ...] = ()
    accept_unknown_sop_classes: bool = False
    default_encoding: Encoding = Field(
        default="Latin1", description="of text in data sets that name no character set"
    )
    syntaxes: Syntaxes = Syntaxes()
    maximum_associations: Annotated[int, Field(ge=1)] = 100
    maximum_pdu_bytes: Annotated[int, Field(ge=4096, le=1 << 24)] = 131072
    acse_timeout_s: Seconds = 30
    dimse_timeout_s: Seconds = 60
    idle_timeout_s: Seconds = Field(
        default=60, description="an association that is silent for so long is aborted"
    )


class Arrivals(Section):
    """What instances are transcoded to before they are kept: Orthanc's IngestTranscoding."""

    to: SyntaxName | None = Field(
        default=None, description="a transfer syntax; left out: they are kept as they come"
    )
    uncompressed: bool = Field(default=True, description="transcode what comes uncompressed")
    compressed: bool = Field(default=True, description="transcode what comes compressed")


class Store(Section):
    """Where instances are kept."""

    folder: Path = Path("data")
    duplicates: Literal["overwrite", "keep", "reject", "discard"] = "overwrite"
    minimum_free_mb: Annotated[int, Field(ge=0)] = Field(
        default=512, description="below that, C-STORE is answered with 0xA700, out of resources"
    )
    stable_age_s: SecondsOrZero = Field(
        default=60, description="a study is stable when nothing came for so long"
    )
    maximum_size_mb: Annotated[int, Field(ge=0)] = Field(
        default=0, description="of all images and attachments together; 0: no limit"
    )
    maximum_patients: Annotated[int, Field(ge=0)] = Field(default=0, description="0: no limit")
    when_full: Literal["recycle", "reject"] = Field(
        default="recycle", description="delete the oldest patients, or refuse what comes"
    )
    transcode: Arrivals = Arrivals()


class Scripts(Section):
    """The drop folder and what a script may use; a script's header may say otherwise."""

    folder: Path = Path("scripts")
    legacy: tuple[Path, ...] = Field(
        default=(), description="run in order in one Lua state, as Orthanc's LuaScripts"
    )
    legacy_timeout_s: Seconds = Field(
        default=3600, description="as timeout_s, for the state of `legacy`: Orthanc has no limit"
    )
    heartbeat_s: SecondsOrZero = Field(
        default=0, description="OnHeartBeat is called so often; 0: never"
    )
    loop_limit: Annotated[int, Field(ge=1)] = Field(
        default=5, description="how often in a row scripts may answer what scripts have stored"
    )
    http_timeout_s: Seconds = Field(
        default=60, description="for HttpGet and its like, unless SetHttpTimeout says otherwise"
    )
    filter_timeout_s: Seconds = Field(
        default=5, description="for each call of a filter, which somebody waits for"
    )
    command_timeout_s: Seconds = Field(
        default=600, description="a command of CallSystem that runs for so long is killed"
    )
    profile: Literal["trusted", "sandboxed"] = "trusted"
    lua: Literal["jit", "5.4"] = Field(
        default="jit", description="LuaJIT, or Lua 5.4 for the operators and integers of Lua 5.3"
    )
    timeout_s: Seconds = 30
    memory_mb: Annotated[int, Field(ge=16, le=4096)] = 256
    concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    polling: bool = Field(
        default=False, description="look for changes by polling: for network shares"
    )


class Codecs(TranscodeSettings):
    """The codec processes, and how they transcode unless a destination or a script says else."""

    processes: Annotated[int, Field(ge=0)] = Field(default=0, description="0: one per core")
    memory_mb: Annotated[int, Field(ge=256)] = 4096
    timeout_s: Seconds = Field(default=300, description="wall-clock limit for one instance")
    verify: bool = True
    keep_uid: bool = False
    unused_bits: UnusedBits = "refuse"
    measure: bool = False


class Retry(Section):
    """When a failed task is tried again: first_delay_s * factor^n, at most maximum_delay_s."""

    attempts: Annotated[int, Field(ge=1)] = 8
    first_delay_s: Seconds = 5
    factor: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = 3
    maximum_delay_s: Seconds = 3600
    jitter: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="each delay is lengthened by up to this share of itself"
    )


Operation = Literal[
    "Echo", "EventReport", "Find", "FindWorklist", "Get", "Move", "NAction", "Store"
]


class Destination(Section):
    """A storage SCP that scripts forward to, by the name of its table."""

    aet: AeTitle
    host: Host
    port: Port
    calling_aet: AeTitle | None = Field(default=None, description="default: dicom.aet")
    associations: Annotated[int, Field(ge=1, le=32)] = 1
    linger_s: SecondsOrZero = Field(
        default=2, description="keep an association open for so long after the last instance"
    )
    connect_timeout_s: Seconds = 10
    acse_timeout_s: Seconds = 30
    dimse_timeout_s: Seconds = 60
    syntaxes: SyntaxLadder = Field(
        default=("*",),
        description="what may be sent to it, best first; * stands for the syntax as stored",
    )
    transcode: TranscodeSettings = TranscodeSettings()
    may_transcode: bool = Field(
        default=True, description="false: instances are sent as they are stored, or not at all"
    )
    manufacturer: Manufacturer = Field(
        default=GENERIC, description="whose habits queries have to respect"
    )
    forbidden: frozenset[Operation] = Field(
        default=frozenset(), description="what it may not ask us for"
    )


class Http(Section):
    """The REST interface, with health and metrics."""

    enabled: bool = True
    host: Host = "127.0.0.1"
    port: ListeningPort = 8042
    remote_access: bool = Field(
        default=False, description="answer clients on other machines; else they get 403"
    )
    users: dict[str, Password] = Field(
        default_factory=dict, description="name -> password; empty: nobody is asked for one"
    )
    certificate: Path | None = Field(
        default=None, description="PEM file with the certificate and its chain; serves HTTPS then"
    )
    private_key: Path | None = Field(default=None, description="PEM file, without a passphrase")
    maximum_body_mb: Annotated[int, Field(ge=0)] = Field(
        default=0, description="larger uploads are refused; 0: no limit"
    )
    compression: bool = Field(
        default=True, description="compress answers for clients that accept it, but not files"
    )
    execute_lua: bool = Field(
        default=False, description="let POST /tools/execute-script run what a client sends"
    )
    write_files: bool = Field(
        default=False, description="let POST /instances/{id}/export write where a client says"
    )


class Jobs(Section):
    """What clients and scripts have done in the background over the REST interface."""

    concurrent: Annotated[int, Field(ge=0)] = Field(
        default=2, description="so many jobs run at the same time; 0: one per core"
    )
    history: Annotated[int, Field(ge=0)] = Field(
        default=10, description="so many jobs that have ended are remembered, with their files"
    )
    durable: bool = Field(
        default=True, description="jobs outlive a restart: what had not ended begins anew"
    )


UserNumber = Annotated[int, Field(ge=1024, le=65535)]


class UserAttachment(Section):
    """A kind of attachment that clients write, by the name of its table."""

    number: UserNumber
    media_type: str = Field(default="application/octet-stream", description="answered with it")


class Rest(Section):
    """What the REST interface calls us, and lets clients write beside instances."""

    name: str = Field(default="", description="of this gateway; empty: dicom.aet")
    check_revisions: bool = Field(
        default=False, description="replace or delete only what the client has seen"
    )
    metadata: dict[str, UserNumber] = Field(
        default_factory=dict, description="names for numbers of metadata"
    )
    attachments: dict[str, UserAttachment] = Field(
        default_factory=dict, description="names for numbers of attachments"
    )


class Peer(Section):
    """Another Orthanc or gateway that instances are sent to over HTTP, by the name of its table."""

    url: Url
    username: str | None = None
    password: SecretStr = SecretStr("")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict, description="sent with every request"
    )
    timeout_s: Seconds = 60
    certificate: Path | None = Field(
        default=None, description="PEM file with which we prove who we are"
    )
    private_key: Path | None = Field(default=None, description="PEM file")
    private_key_password: SecretStr = SecretStr("")
    properties: dict[str, str] = Field(
        default_factory=dict, description="what else is to be shown of it"
    )


class Follow(Section):
    """Another Orthanc or gateway whose new instances are taken, as its `/changes` tell of them."""

    name: DestinationName | None = Field(
        default=None, description="by which we remember how far we have followed; default: url"
    )
    url: Url
    username: str | None = None
    password: SecretStr = SecretStr("")
    check_certificate: bool = Field(
        default=True, description="false: https with whoever answers, also with an impostor"
    )
    trusted_certificates: Path | None = Field(
        default=None, description="PEM file with whom to trust, instead of what the machine does"
    )
    start: Literal["now", "beginning"] = Field(
        default="now", description="where to begin when it is followed for the first time"
    )
    take: Literal["NewInstance", "StableStudy"] = Field(
        default="NewInstance", description="the change that instances are taken after"
    )
    delete_at_source: bool = Field(
        default=False, description="delete there what is durably kept here"
    )
    poll_interval_s: Seconds = 5
    timeout_s: Seconds = Field(default=60, description="the longest silence of the source")
    downloads: Annotated[int, Field(ge=1, le=16)] = 2

    @property
    def source(self) -> str:
        """What it is called."""
        return self.name or self.url


class DictionaryEntry(Section):
    """An element that the standard does not know, by its tag."""

    name: Annotated[str, Field(min_length=1)]
    vr: ValueRepresentation
    creator: str = Field(default="", description="of a private element; empty: it is not private")


class Log(Section):
    """One line per outcome, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "human", "json"] = Field(
        default="auto", description="auto: human on a terminal, json otherwise"
    )


class Configuration(Section):
    """The whole of gateway.toml."""

    dicom: Dicom = Dicom()
    store: Store = Store()
    scripts: Scripts = Scripts()
    codecs: Codecs = Codecs()
    retry: Retry = Retry()
    http: Http = Http()
    rest: Rest = Rest()
    jobs: Jobs = Jobs()
    log: Log = Log()
    destinations: dict[DestinationName, Destination] = Field(default_factory=dict)
    peers: dict[DestinationName, Peer] = Field(default_factory=dict)
    follow: tuple[Follow, ...] = ()
    dictionary: dict[ElementTag, DictionaryEntry] = Field(default_factory=dict)
    # What an Orthanc was configured with, word for word (see gateway.config.orthanc_json): scripts
    # find keys of their own in it. Nothing else reads it, and nothing in it configures us.
    orthanc: dict[str, Any] = Field(
        default_factory=dict, description="what GetOrthancConfiguration() answers"
    )
