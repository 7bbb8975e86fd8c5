"""Reports over real sockets: the round trip is that of the way between, and what Chromium makes of our reports."""

from __future__ import annotations

import collections
import os
import select
import socket
import threading
import time
from types import TracebackType

import pytest
from cordboard.switch import protocol
from cordboard.switch.process import bind_pair
from cordboard.switch.protocol import Codec, Hears, Rewire

from . import page as pages
from .media import HOST, Media, media_process
from .shell import answer, offered

DELAY = 0.040  # seconds each way


class Relay:
    """Two ways between `near` and `far`, RTP and RTCP, which take DELAY each."""

    def __init__(self) -> None:
        self.near, self.far = bind_pair(HOST, 0), bind_pair(HOST, 0)
        self._over = dict(zip((*self.near, *self.far), (*self.far, *self.near), strict=True))
        self._to: dict[socket.socket, tuple[str, int]] = {}
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="relay")

    def between(self, near: int, far: int) -> None:
        """Where what leaves on either side goes to."""
        for pair, port in ((self.near, near), (self.far, far)):
            self._to.update({one: (HOST, port + i) for i, one in enumerate(pair)})
        self._thread.start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._thread.join()
        for one in self._over:
            one.close()

    def _run(self) -> None:
        waiting: collections.deque[tuple[float, socket.socket, bytes]] = collections.deque()
        while not self._stopped:
            for one in select.select(list(self._over), [], [], 0.001)[0]:
                waiting.append((time.monotonic() + DELAY, self._over[one], one.recv(2000)))
            while waiting and waiting[0][0] <= time.monotonic():
                _, out, data = waiting.popleft()
                out.sendto(data, self._to[out])


def last_round_trip(media: Media, leg: str, seconds: float) -> protocol.LegQuality:
    """The first report of the leg that has one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        quality = media.fact(protocol.LegQuality, leg)
        if quality.rtt_ms is not None:
            return quality
    raise AssertionError(f"no round trip of {leg} within {seconds} s")


def test_a_way_of_80_ms_is_shown_as_80_ms() -> None:
    with media_process() as media, Relay() as relay:
        pcmu = Codec("pcmu", 0)
        ports = []
        for leg, pair in (("near", relay.near), ("far", relay.far)):
            media.tell(protocol.OpenRtpLeg(leg, HOST, pair[0].getsockname()[1], pcmu))
            ports.append(media.fact(protocol.LegOpened, leg).port)
        relay.between(*ports)
        for leg in ("near", "far"):
            quality = last_round_trip(media, leg, 20)
            print(f"{leg}: {quality.rtt_ms} ms there and back over {2e3 * DELAY:.0f} ms, {quality}")
            assert quality.rtt_ms == pytest.approx(2e3 * DELAY, abs=10)
            assert quality.far_loss_percent is not None


@pytest.mark.peer("chromium")
@pytest.mark.skipif(not os.path.exists(pages.CHROMIUM), reason="no Chromium here")
def test_chromium_and_we_report_to_each_other() -> None:
    with pages.chromium() as phone, media_process() as media:
        media.tell(offered("page", phone.offer("page", 620.0), "opus"))
        phone.connect("page", answer(media.fact(protocol.WebrtcLegOpened, "page"), "opus"))
        media.fact(protocol.LegConnected, "page")
        media.tell(Rewire((Hears("page", (("page", 1.0),)),)))
        found: dict[str, dict[str, object]] = {}

        def told() -> bool:
            found.update(phone.stats("page"))
            return (
                found.get("remote-inbound-rtp", {}).get("roundTripTime") is not None and "remote-outbound-rtp" in found
            )

        assert phone.until(told, 25)
        remote = found["remote-inbound-rtp"]
        names = ("roundTripTime", "fractionLost", "jitter", "packetsLost", "roundTripTimeMeasurements")
        print("chromium of our receiver reports:", {name: remote.get(name) for name in names})
        sender = found["remote-outbound-rtp"]
        print("chromium of our sender reports:", {name: sender.get(name) for name in ("packetsSent", "bytesSent")})
        assert isinstance(sender["packetsSent"], int)
        assert sender["packetsSent"] > 20
        trip = remote["roundTripTime"]
        assert isinstance(trip, float)
        assert trip < 0.1
        quality = last_round_trip(media, "page", 20)
        print("we of Chromium:", quality)
        assert quality.rtt_ms is not None
        assert quality.rtt_ms < 100
        assert quality.far_loss_percent is not None
        media.tell(protocol.CloseLeg("page"))
