"""What the web plane counts, in a prometheus-client registry that /metrics shows."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics

# When each counter was made would be a gauge beside it, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call] # it does not say that it gives nothing


class WebMetrics:
    """The counters of one server. Every refusal and every loss has a reason as its label, from a fixed set."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.connections = Gauge("cordboard_web_connections", "Open TCP connections", registry=registry)
        self.sessions = Gauge("cordboard_web_sessions", "Open websockets", registry=registry)
        self.turned_away = Counter(
            "cordboard_web_turned_away", "Connections closed unserved, by why", ["reason"], registry=registry
        )
        self.responses = Counter("cordboard_web_responses", "HTTP responses, by status", ["status"], registry=registry)
        self.crashes = Counter(
            "cordboard_web_crashes", "Connections ended by a failure of the switch", registry=registry
        )
        self.requests = Counter("cordboard_web_requests", "Commands of pages, by name", ["do"], registry=registry)
        self.malformed = Counter("cordboard_web_malformed_frames", "Frames that are no request", registry=registry)
        self.busy = Counter("cordboard_web_busy", "Commands refused as busy, by why", ["reason"], registry=registry)
        self.dropped = Counter(
            "cordboard_web_dropped", "Events and replies without a page to go to, by kind", ["kind"], registry=registry
        )
        self.coalesced = Counter(
            "cordboard_web_coalesced", "Events left out because a newer one replaced them", registry=registry
        )
        self.closed = Counter(
            "cordboard_web_closed", "Websockets the switch closed, by close code", ["code"], registry=registry
        )
        self.lost_detach = Counter(
            "cordboard_web_lost_detach", "Agents that could not be told that a page is gone", registry=registry
        )
        self.papers = Counter(
            "cordboard_web_paper_changes",
            "Changes of the paperwork of calls, by what became of them",
            ["outcome"],
            registry=registry,
        )
