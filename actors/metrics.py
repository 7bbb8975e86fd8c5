"""The switch's own figures for /metrics: read when they are asked for, never counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..sip.endpoint import Endpoint
from .medialink import MediaLink
from .runtime import System
from .signalling import Signalling


class SwitchMetrics(Collector):
    """Calls, actors, SIP and the engine; a scrape reads what they hold at that moment."""

    def __init__(self, system: System, signalling: Signalling, link: MediaLink, endpoint: Endpoint) -> None:
        self._system = system
        self._signalling = signalling
        self._link = link
        self._endpoint = endpoint

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("cordboard_calls", "Live SIP calls", self._signalling.calls)
        yield GaugeMetricFamily("cordboard_actors", "Live actors", len(self._system.alive()))
        yield GaugeMetricFamily("cordboard_legs", "Media legs that actors hold open", self._link.legs)
        yield GaugeMetricFamily("cordboard_media_up", "1 while the media engine listens", int(self._link.connected))
        yield GaugeMetricFamily("cordboard_alarms", "Alarms that stand", len(self._system.alarms))
        yield _counters("cordboard_runtime", "What the actor runtime counted", self._system.counters)
        yield _counters("cordboard_sip", "What the SIP endpoint counted", self._endpoint.counters)
        report = self._link.report
        if report is not None:
            yield GaugeMetricFamily(
                "cordboard_media_tick_p99_ms", "99 % of ticks of a second took less", report.tick_ms[1]
            )
            yield GaugeMetricFamily("cordboard_media_late_ticks", "Late ticks of the last second", report.late_ticks)
            yield _counters("cordboard_media", "What the media engine counted", report.counters)


def _counters(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["what"])
    for what, count in sorted(counts.items()):
        family.add_metric([what], count)
    return family
