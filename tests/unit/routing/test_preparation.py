"""What is sent: as stored, or the first rung that the peer accepts and the image allows."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_support import Instances
from structlog.testing import capture_logs

from gateway.config.models import Codecs as CodecSettings
from gateway.config.models import Destination
from gateway.config.transcoding import TranscodeSettings
from gateway.dicom import syntaxes
from gateway.errors import NoAcceptableSyntax, TranscodeUnsupported, VerificationFailed
from gateway.metrics import Metrics
from gateway.model import Action, Task, TranscodeOptions, TranscodeReport
from gateway.routing.preparation import Preparation
from gateway.store.modalities import Modality
from gateway.store.opened import Store
from gateway.work.transcoding import Transcoding

EXPLICIT, IMPLICIT = syntaxes.EXPLICIT_LE.uid, syntaxes.IMPLICIT_LE.uid
J2K, HTJ2K, JPEG, JPEG_LOSSLESS = (
    syntaxes.lookup(name).uid for name in ("j2k", "htj2k", "jpeg", "jpeg-lossless")
)


class FakeCodecs:
    """Makes the first rung that is in `can`; without pixels, a compressing one is a plain copy."""

    def __init__(self, *can: str) -> None:
        self.can = can
        self.has_pixels = True
        self.makes_instead: dict[str, str] = {}
        self.error: Exception | None = None
        self.asked: list[tuple[str, ...]] = []
        self.options: list[TranscodeOptions] = []

    def transcode(
        self, source: Path, target: Path, ladder: Sequence[str], options: TranscodeOptions
    ) -> TranscodeReport:
        self.asked.append(tuple(ladder))
        self.options.append(options)
        if self.error:
            raise self.error
        for uid in ladder:
            if not self.has_pixels and syntaxes.by_uid(uid).is_encapsulated:
                return self._write(target, EXPLICIT, changed=False)
            if uid in self.can:
                return self._write(target, self.makes_instead.get(uid, uid), changed=True)
        raise TranscodeUnsupported("; ".join(f"{uid}: too many bits" for uid in ladder))

    def _write(self, target: Path, uid: str, *, changed: bool) -> TranscodeReport:
        target.write_bytes(f"made {uid}".encode())
        return TranscodeReport(EXPLICIT, uid, "1.2", 1, 1, 0.0, "", changed)


class Situation:
    """One image, stored in Explicit VR Little Endian, and a destination."""

    def __init__(self, store: Store, instance_id: str, pool: ThreadPoolExecutor) -> None:
        self.store = store
        self.version = Instances(store.engine).current(instance_id)
        self.path = store.files.path(self.version.storage_key)
        self.pool = pool

    def sent(
        self,
        codecs: FakeCodecs,
        accepted: set[str],
        *syntaxes: str,
        transcode: TranscodeSettings | None = None,
        **parameters: object,
    ) -> Path | bytes:
        """The path when it goes as stored, else what was made. Raises what it fails with."""
        to = Destination(
            aet="A", host="h", port=1, syntaxes=syntaxes or ("*",),
            transcode=transcode or TranscodeSettings(),
        )  # fmt: skip
        transcoding = Transcoding(
            self.store.files, codecs, CodecSettings(ratio=8.0).options(), Metrics()
        )
        preparation = Preparation(Modality(to), self.store.files, transcoding, self.pool)
        task = Task(1, "a", 1, Action.FORWARD, self.version, "archive", parameters, 0)
        prepared = preparation.begin([task], lambda sop_class: frozenset(accepted))
        try:
            path = prepared[0].result(10)
            return path if path == self.path else path.read_bytes()
        finally:
            preparation.discard(prepared)
            assert list((self.path.parents[3] / "incoming").iterdir()) == []


@pytest.fixture
def image(store: Store, receive: Callable[..., str], made_ct) -> Iterator[Situation]:
    with ThreadPoolExecutor(1) as pool:
        yield Situation(store, receive(made_ct()), pool)


def made(uid: str) -> bytes:
    return f"made {uid}".encode()


def test_the_best_rung_that_the_peer_accepts_is_made(image):
    codecs = FakeCodecs(HTJ2K, J2K)
    assert image.sent(codecs, {J2K, EXPLICIT}, "htj2k", "j2k", "explicit") == made(J2K)
    assert codecs.asked == [(J2K,)]


def test_what_the_image_does_not_allow_goes_in_the_next_rung(image):
    codecs = FakeCodecs(IMPLICIT)
    assert image.sent(codecs, {J2K, IMPLICIT}, "j2k", "implicit") == made(IMPLICIT)
    assert codecs.asked == [(J2K, IMPLICIT)]


def test_what_allows_no_better_rung_goes_as_stored_when_that_is_reached(image):
    codecs = FakeCodecs()
    with capture_logs() as logs:
        accepted = {HTJ2K, J2K, EXPLICIT, IMPLICIT}
        assert image.sent(codecs, accepted, "htj2k", "j2k", "*", "implicit") == image.path
    assert codecs.asked == [(HTJ2K, J2K)]
    (line,) = [line for line in logs if line["event"] == "instance goes as stored"]
    assert line["refused"] == f"{HTJ2K}: too many bits; {J2K}: too many bits"


def test_nothing_is_transcoded_when_the_stored_syntax_is_the_best_accepted(image):
    codecs = FakeCodecs(J2K)
    assert image.sent(codecs, {EXPLICIT, IMPLICIT}, "j2k", "explicit") == image.path
    assert codecs.asked == []


def test_what_allows_no_rung_at_all_is_refused_with_the_reason_for_each(image):
    with pytest.raises(TranscodeUnsupported, match=f"{HTJ2K}: too many bits; {J2K}: too"):
        image.sent(FakeCodecs(), {HTJ2K, J2K}, "htj2k", "j2k", "*")


def test_a_result_that_is_wrong_is_never_replaced_by_another_rung(image):
    """It is alarming: somebody has to look at it."""
    codecs = FakeCodecs(J2K)
    codecs.error = VerificationFailed("frame 1 differs")
    with pytest.raises(VerificationFailed):
        image.sent(codecs, {J2K, EXPLICIT}, "j2k", "*")


def test_a_script_s_ladder_takes_the_place_of_the_destination_s(image):
    codecs = FakeCodecs(JPEG, J2K)
    accepted = {JPEG, J2K, EXPLICIT}
    assert image.sent(codecs, accepted, "j2k", "*", ladder=[JPEG, "*"]) == made(JPEG)
    assert image.sent(codecs, accepted, "j2k", "*", ladder=["*"]) == image.path


def test_options_are_the_script_s_else_the_destination_s_else_the_site_s(image):
    codecs = FakeCodecs(JPEG)
    image.sent(
        codecs, {JPEG}, "jpeg",
        transcode=TranscodeSettings(quality=80, verify=False), options={"quality": 60},
    )  # fmt: skip
    assert codecs.options == [TranscodeOptions(quality=60, verify=False, ratio=8.0)]


def without_pixels(*can: str) -> FakeCodecs:
    codecs = FakeCodecs(*can)
    codecs.has_pixels = False
    return codecs


def test_what_has_no_pixels_goes_as_it_is_when_the_peer_accepts_that(image):
    assert image.sent(without_pixels(), {J2K, EXPLICIT}, "j2k", "explicit") == made(EXPLICIT)


def test_what_has_no_pixels_goes_in_a_native_rung_further_down(image):
    codecs = without_pixels(IMPLICIT)
    assert image.sent(codecs, {J2K, IMPLICIT}, "j2k", "implicit") == made(IMPLICIT)


@pytest.mark.parametrize("syntaxes", [("j2k",), ("htj2k", "j2k")])
def test_what_has_no_pixels_and_cannot_go_as_it_is_says_so(image, syntaxes):
    with pytest.raises(
        NoAcceptableSyntax, match="nothing to compress, and stays in ExplicitVRLittleEndian"
    ):
        image.sent(without_pixels(), {J2K, HTJ2K}, *syntaxes)


def too_lossy(*can: str) -> FakeCodecs:
    """A lossy result would be too bad: they make one without loss, that nobody asked for."""
    codecs = FakeCodecs(JPEG, *can)
    codecs.makes_instead = {JPEG: JPEG_LOSSLESS}
    return codecs


def test_what_would_lose_too_much_goes_in_a_lossless_rung(image):
    codecs = too_lossy(J2K)
    assert image.sent(codecs, {JPEG, J2K, EXPLICIT}, "jpeg", "j2k", "explicit") == made(J2K)
    assert codecs.asked == [(JPEG, J2K), (J2K,)]


def test_what_would_lose_too_much_goes_as_stored_when_that_comes_next(image):
    assert image.sent(too_lossy(), {JPEG, EXPLICIT}, "jpeg", "*") == image.path


def test_what_would_lose_too_much_for_a_peer_that_takes_nothing_else_is_not_sent(image):
    with pytest.raises(NoAcceptableSyntax, match="comes out in JPEGLosslessSV1, which"):
        image.sent(too_lossy(), {JPEG}, "jpeg")
