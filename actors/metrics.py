"""The switch's own figures for /metrics: read when they are asked for, never counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..sip.endpoint import Endpoint
from .guard import Guard
from .health import Health
from .journal import Journal
from .medialink import MediaLink
from .recordings import Recordings
from .runtime import System
from .signalling import Signalling
from .store.ledger import Ledger
from .trunk import Phase
from .webhooks import Webhooks
from .wire import Wire


class SwitchMetrics(Collector):
    """Calls, actors, SIP, the engine and what is kept; a scrape reads what they hold at that moment."""

    def __init__(
        self,
        system: System,
        signalling: Signalling,
        link: MediaLink,
        endpoint: Endpoint,
        ledger: Ledger,
        health: Health,
        tasks: Callable[[], int],
        journal: Journal,
        recordings: Recordings,
        wire: Wire,
        webhooks: Webhooks,
        guard: Guard,
    ) -> None:
        self._system = system
        self._signalling = signalling
        self._link = link
        self._endpoint = endpoint
        self._ledger = ledger
        self._health = health
        self._tasks = tasks
        # Memory, processor time and open files: ours under their usual names, the engine's under one of their own.
        self._processes = (
            ProcessCollector(registry=None),
            ProcessCollector("cordboard_media", pid=lambda: link.pid, registry=None),
        )
        self._journal = journal
        self._recordings = recordings
        self._wire = wire
        self._webhooks = webhooks
        self._guard = guard

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("cordboard_calls", "Live SIP calls", self._signalling.calls)
        setups = self._system.pressure.setups
        yield GaugeMetricFamily("cordboard_setups", "Calls that came and are in set-up", len(setups))
        yield GaugeMetricFamily("cordboard_setup_seconds", "What one takes of the line of those in set-up", setups.cost)
        yield GaugeMetricFamily("cordboard_sip_transactions", "SIP transactions", self._endpoint.transactions)
        yield GaugeMetricFamily("cordboard_actors", "Live actors", self._system.living)
        yield GaugeMetricFamily("cordboard_tasks", "Trio tasks of the control process", self._tasks())
        yield GaugeMetricFamily("cordboard_legs", "Media legs that actors hold open", self._link.legs)
        yield GaugeMetricFamily("cordboard_media_up", "1 while the media engine listens", int(self._link.connected))
        yield GaugeMetricFamily("cordboard_media_full", "1 while new calls are refused for it", int(self._link.full))
        yield GaugeMetricFamily("cordboard_alarms", "Alarms that stand", len(self._system.alarms))
        yield GaugeMetricFamily(
            "cordboard_busy", "1 while new calls are refused for it", int(self._system.pressure.refusing)
        )
        yield _counters("cordboard_runtime", "What the actor runtime counted", self._system.counters)
        yield _counters("cordboard_sip", "What the SIP endpoint counted", self._endpoint.counters)
        yield self._messages()
        yield GaugeMetricFamily(
            "cordboard_webhooks_waiting", "What other systems are still to be told", self._webhooks.waiting
        )
        yield _counters("cordboard_webhooks", "What became of telling it", self._webhooks.counters)
        yield _counters(
            "cordboard_journal", "Steps in the journal, messages that crashed their actor", self._journal.counters
        )
        yield CounterMetricFamily(
            "cordboard_journal_seconds", "What the journal has cost the steps", self._journal.seconds
        )
        yield from self._invariants()
        yield from self._trunks()
        yield from self._kept()
        for process in self._processes:
            yield from process.collect()
        report = self._link.report
        if report is not None:
            p50, p99, most = report.tick_ms
            yield GaugeMetricFamily("cordboard_media_tick_p50_ms", "Half the ticks of a second took less", p50)
            yield GaugeMetricFamily("cordboard_media_tick_p99_ms", "99 % of ticks of a second took less", p99)
            yield GaugeMetricFamily("cordboard_media_tick_max_ms", "The longest tick of a second", most)
            yield GaugeMetricFamily("cordboard_media_edges", "Pairs of a listener and what it hears", report.edges)
            yield GaugeMetricFamily("cordboard_media_late_ticks", "Late ticks of the last second", report.late_ticks)
            yield _counters("cordboard_media", "What the media engine counted", report.counters)

    def _invariants(self) -> Iterable[Metric]:
        """What is always true, and was found to be otherwise."""
        guard = self._guard
        yield _counters("cordboard_invariants", "What stood for two looks and must never be", guard.found)
        yield _counters("cordboard_invariants_cured", "... of which somebody was told what it had missed", guard.cured)
        yield GaugeMetricFamily("cordboard_invariants_standing", "What stands now and must never be", guard.standing)
        yield CounterMetricFamily("cordboard_invariants_looks", "Looks at one actor", guard.looked)
        yield CounterMetricFamily("cordboard_invariants_seconds", "What looking has cost", guard.seconds)

    def _trunks(self) -> Iterable[Metric]:
        """Each trunk, and the answers by method and code: to what it asked us (in), and to what we asked (out)."""
        calls = GaugeMetricFamily("cordboard_trunk_calls", "Live calls by the trunk", labels=["trunk", "direction"])
        state = GaugeMetricFamily("cordboard_trunk_state", "1 for the state it is in", labels=["trunk", "state"])
        brought = self._signalling.brought()
        for trunk, data in self._health.trunks().items():
            calls.add_metric([trunk, "in"], brought[trunk])
            calls.add_metric([trunk, "out"], len(data.usage.calls))
            for phase in Phase:
                state.add_metric([trunk, phase.value], int(data.phase is phase))
        yield calls
        yield state
        barred = CounterMetricFamily("cordboard_dialling_barred", "Numbers that did not pass", labels=["why"])
        for why, number in sorted(self._health.barred().items()):
            barred.add_metric([why], number)
        yield barred
        answers = CounterMetricFamily(
            "cordboard_trunk_answers", "Final answers", labels=["trunk", "direction", "method", "code"]
        )
        for (trunk, direction, method, code), number in sorted(self._signalling.answers.items()):
            answers.add_metric([trunk, direction, method, str(code)], number)
        yield answers

    def _messages(self) -> Metric:
        """SIP of the trunks; `code` is empty for requests, and `method` of a response is that of its CSeq."""
        family = CounterMetricFamily(
            "cordboard_sip_messages", "SIP messages of trunks", labels=["trunk", "direction", "method", "code"]
        )
        for labels, count in sorted(self._wire.counts.items()):
            family.add_metric(labels, count)
        return family

    def _kept(self) -> Iterable[Metric]:
        """The database, the recordings and the disks."""
        ledger = self._ledger
        yield GaugeMetricFamily("cordboard_ledger_behind", "Rows that wait for the database", ledger.behind)
        counts = {"commits": ledger.commits, "failures": ledger.failures, "lost": ledger.lost}
        yield _counters("cordboard_ledger", "Transactions done and failed, and rows lost for want of room", counts)
        recordings = GaugeMetricFamily("cordboard_recordings", "Of the calls of the last day", labels=["state"])
        for state, number in self._health.recordings.items():
            recordings.add_metric([state.value], number)
        yield recordings
        waiting, waited = self._recordings.waiting, self._recordings.waited
        yield GaugeMetricFamily("cordboard_encoding_waiting", "Recordings of ended calls, not encoded yet", waiting)
        yield GaugeMetricFamily("cordboard_encoding_waited_seconds", "How long one of them could have been", waited)
        rows = GaugeMetricFamily("cordboard_open_rows", "Of calls, legs and offers: not ended yet", labels=["table"])
        for table, number in self._health.open_rows.items():
            rows.add_metric([table], number)
        yield rows
        free = GaugeMetricFamily("cordboard_disk_free_bytes", "Room in a directory", labels=["directory"])
        writable = GaugeMetricFamily("cordboard_disk_writable", "1 while it can be written", labels=["directory"])
        for name, disk in self._health.disks.items():
            free.add_metric([name], disk.free)
            writable.add_metric([name], not disk.trouble)
        yield free
        yield writable


def _counters(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=["what"])
    for what, count in sorted(counts.items()):
        family.add_metric([what], count)
    return family
