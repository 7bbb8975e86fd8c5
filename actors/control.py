"""The control process: the store, the actors, SIP and the pages in one nursery.

It opens what it needs, says `ready` once calls can come, takes up a changed organisation on SIGHUP, and on SIGTERM
takes no more calls, waits for those that live (`[limits] drain_seconds` at most; a second SIGTERM does not wait), and
ends the actors, the youngest first.

While it lives it writes down all that it knows (statefile.py). A process that begins goes on with what it finds there
(past.py), before it opens its doors.
"""

from __future__ import annotations

import ipaddress
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import structlog
import trio
from attrs import evolve
from prometheus_client import CollectorRegistry

from ..sip import transport as sip_transport
from ..sip.endpoint import Endpoint, Settings
from ..sip.grammar import Address as SipAddress
from ..sip.homes import Homes, is_any
from ..switch.link import connect_unix
from . import collecting, largepages, mediaconnection, memory, past, wire
from .alarms import ROWS_UNENDED, UNRECALLED
from .certificate import SipCertificate
from .child import orphaned
from .config import Config
from .directories import recordings_directory
from .effects import Push, Record, Reply
from .evidence import Evidence
from .geography import Geography
from .guard import Guard
from .health import Health
from .journal import Journal
from .keys import IpNetwork
from .medialink import MediaLink
from .metrics import SwitchMetrics
from .organisation import Organisation, e164
from .oversights import missing, warnings
from .page import Request
from .past import Past
from .pressure import Pressure
from .reach import Reach
from .recollection import Recollection
from .recordings import Recordings
from .records import MobileEntry
from .resolver import Resolver
from .resting import Resting
from .runtime import Hands, System, unix_clock
from .signalling import Signalling
from .standings import Standings
from .statefile import States
from .states import Committed, Dialog, Whole
from .store.database import StoreError
from .store.pruning import Pruning
from .store.store import Store
from .supervisor import run_directory
from .switchboard import Configure, Drain, Open, Switchboard
from .webhooks import Webhooks
from .wire import Wire

# How often a draining process looks whether its last call is over, in seconds.
DRAIN_LOOK = 0.1
# How often the states say that this process lives though nothing happens; see past.STALE.
ALIVE_SECONDS = 5.0
# Addresses of nobody (RFC 5737 §3, RFC 3849): the way there is the way to everybody.
ANYWHERE = {False: "192.0.2.1", True: "2001:db8::1"}
# After the last actor has ended, what it said to the engine is still on its way.
LAST_WORDS = 0.2

log = structlog.get_logger()


class Pages(Protocol):
    """The web, as the composition root gives it."""

    def push(self, effect: Push) -> None: ...

    def reply(self, effect: Reply) -> None: ...

    def on_end(self, actor: str, reason: str) -> None: ...

    async def check_logins(self, control: Control) -> None: ...

    def certificate(self) -> tuple[str, str]:
        """The files of what https shows: certificate and key. Raises OSError."""
        ...

    async def serve(self, control: Control, *, task_status: trio.TaskStatus[tuple[tuple[str, int], ...]]) -> None: ...


class Control:
    """One control process; `run` is its life."""

    def __init__(self, config: Config, data: Path, pages: Pages, registry: CollectorRegistry) -> None:
        self.config = config
        self.data = data
        self.registry = registry
        self._pages = pages
        self._serves = False
        self.store: Store
        self.journal: Journal
        self.system: System
        self.signalling: Signalling
        self.link: MediaLink
        self.reach: Reach
        self.recordings: Recordings
        self.endpoint: Endpoint
        self.wire: Wire
        self.webhooks: Webhooks
        self._geography: Geography
        self.organisation_name = ""
        self.language = "zh"
        self.time_zone = "UTC"
        self._health: Health
        self._guard: Guard
        self._states: States
        self._recalls: tuple[float, ...] = ()
        # That it is to end, what it then waits in, and whether it has ended all itself.
        self._ending = trio.Event()
        self._patience = trio.CancelScope()
        self._ended = False

    # --- what the pages' server is given ----------------------------------------------------------------------

    def tell(self, agent_id: str, message: object) -> bool:
        """A page speaks to its agent; False: no such agent, or overloaded. That a page came or went is never shed."""
        if isinstance(message, Request):
            return self.system.offer(f"agent:{agent_id}", message)
        return self.system.tell(f"agent:{agent_id}", message, kept=False)

    def health(self) -> tuple[bool, dict[str, object]]:
        checks = self._health.checks()
        ready = self._serves and not any(check.stops for check in checks.values())
        return ready, {
            "calls": self.signalling.calls,
            "legs": self.link.legs,
            "failed": [*([] if self._serves else ["serving"]), *(name for name, each in checks.items() if not each.ok)],
            "checks": {name: {"ok": check.ok, **check.facts} for name, check in checks.items()},
        }

    # --- life -------------------------------------------------------------------------------------------------

    async def run(self, announce: Callable[[str], None]) -> None:
        """Serves until SIGTERM or SIGINT. `announce` gets the one line that says it is ready."""
        run = run_directory(self.data)
        async with await Store.open(self.data) as self.store, trio.open_nursery() as nursery:
            left, clock = self._recall(lambda: memory.directory(run) / past.FILE, nursery)
            resting = Resting()
            trio.lowlevel.add_instrument(resting)
            self.system.pressure.load.rested = lambda: resting.seconds
            nursery.start_soon(self.journal.run)
            nursery.start_soon(self.store.ledger.run, self.system.alarm, self.system.clear_alarm)
            self.webhooks = Webhooks(self.store.outbox, self.system, clock)
            nursery.start_soon(self.webhooks.run)
            nursery.start_soon(Pruning(self.store, self.config.store.decisions_days, clock).run)
            directory, format_ = recordings_directory(self.config, self.data), self.config.recording.format
            self.recordings = Recordings(directory, format_, self.store.ledger, self.system)
            self.link.on_recording = self.recordings.on_fact
            self.reach = Reach(self.link)
            nursery.start_soon(self.recordings.run)
            link_path = str(run / "media.sock")
            if self.config.media.process == "inline":
                from .mediaplane import serve_inline  # an engine that is elsewhere need not be loaded here

                await nursery.start(serve_inline, self.config, self.data, link_path)
            sip_addresses = await self._open_sip(nursery, clock)
            directories = {"data": self.data, "recordings": recordings_directory(self.config, self.data)}
            self._health = Health(self.system, self.signalling, self.link, self.store, directories)
            evidence = Evidence(self.data)
            nursery.start_soon(evidence.run)
            self._guard = Guard(self.system, self.link, self.signalling, clock, evidence.keep)
            nursery.start_soon(self._health.run)  # no disk that hangs keeps calls waiting for this process
            self.registry.register(
                SwitchMetrics(
                    self.system,
                    self.signalling,
                    self.link,
                    self.endpoint,
                    self.store.ledger,
                    self._health,
                    lambda: trio.lowlevel.current_statistics().tasks_living,
                    self.journal,
                    self.recordings,
                    self.wire,
                    self.webhooks,
                    self._guard,
                )
            )
            organisation = await self.store.load_organisation()
            await self._close_books(left, clock())
            self._go_on(left, organisation, await self.store.mobiles(), clock)
            nursery.start_soon(self._tell_that_we_live, clock)
            nursery.start_soon(Standings(self.system).run)
            nursery.start_soon(self._guard.run)
            nursery.start_soon(mediaconnection.run, self.link, lambda: connect_unix(link_path))
            web_addresses = await nursery.start(self._pages.serve, self)
            await nursery.start(self._hear_signals, nursery)
            with trio.move_on_after(10):
                while not self.link.connected:
                    await trio.sleep(0.01)
            nursery.start_soon(self._repair_recordings)
            nursery.start_soon(collecting.run, lambda: self.system.rests)
            tidy = partial(collecting.tidy, (wire.forget, e164.cache_clear))
            nursery.start_soon(collecting.run, lambda: self.system.idle, tidy, collecting.TIDY_EVERY)
            self._serves = True
            served = " ".join(
                [*(f"https://{opened_at(*each)}" for each in web_addresses), *(f"sip:{each}" for each in sip_addresses)]
            )
            announce(f"ready {served}")
            nursery.start_soon(trio.to_thread.run_sync, largepages.collapse)
        if self._ended:
            self._states.end()
            memory.leave(run)

    # --- what an earlier process left -------------------------------------------------------------------------

    def _recall(self, place: Callable[[], Path], nursery: trio.Nursery) -> tuple[Past, Callable[[], float]]:
        """The actors and the link as they were, if they can be gone on with; nothing lives yet."""
        pack = past.packer()
        left = past.read(place(), pack, time.time())
        clock = unix_clock(max(time.time(), left.at))  # a clock that was set back must not be seen by actors

        def alarm(text: str, standing: bool) -> None:
            (self.system.alarm if standing else self.system.clear_alarm)(text)

        def begin() -> None:
            pressure = Pressure(self.config.limits.busy_ms / 1000)
            self.system = System(clock, nursery, self._states, self.journal, pressure=pressure)
            self.link = MediaLink(self.system, self._states)

        self._states = States(place, pack, clock, alarm)
        self.journal = Journal(self.data, clock, alarm)
        begin()
        try:
            left.recall(self.system, self.link)
        except past.RecallError:
            begin()
        if left.trouble:
            self.system.alarm(UNRECALLED.says(reason=left.trouble))
        return left, clock

    async def _close_books(self, left: Past, now: float) -> None:
        """What was stated and not written is written, and what nobody goes on with is ended."""
        calls, agents = self._alive("call:"), self._alive("agent:")
        try:
            await self.store.apply(left.entries)
            rows = await self.store.close_open(now, calls, agents)
        except StoreError as error:
            self.system.alarm(ROWS_UNENDED.says(reason=error))
            for entry in left.entries:
                self.store.ledger.keep(Record(entry))
        else:
            if rows:
                log.warning("ended what an earlier process left open", rows=rows)

    def _alive(self, prefix: str) -> list[str]:
        return [name.removeprefix(prefix) for name in self.system.alive(prefix)]

    def _go_on(
        self, left: Past, organisation: Organisation, mobiles: Sequence[MobileEntry], clock: Callable[[], float]
    ) -> None:
        """All that was recalled lives from here on, and is written down anew; calls can come."""
        self.journal.take_up(organisation)
        self.journal.begin(self.system.actor_states)
        self._take_up(organisation)
        left.take_up(self.system, self.signalling, clock())
        self._recalls = (*left.recalls, clock()) if self.system.alive() else ()
        self._states.begin(lambda: self._whole(clock()), lambda: self.system.living)
        memory.clear()
        if self.system.alive("switchboard"):
            self.system.tell("switchboard", Open())
            self.system.tell("switchboard", self._configuration(organisation))
        else:
            voice, patience = self.config.media, self.config.calls.patience
            codecs = (voice.webrtc_codecs, voice.trunk_codecs)
            board = Switchboard(organisation, *codecs, mobiles, patience, self.config.customs)
            self.system.spawn("switchboard", board)

    def _whole(self, now: float) -> Whole:
        ledger = self.store.ledger
        return past.whole(now, self.system, self.endpoint, self.link, ledger.unsafe, ledger.kept, self._recalls)

    def _keep_dialogs(self) -> None:
        for call, snapshot in self.signalling.snapshots():
            self._states.add(Dialog(call, snapshot))

    async def _tell_that_we_live(self, clock: Callable[[], float]) -> None:
        while True:
            await trio.sleep(ALIVE_SECONDS)
            self._states.alive(clock())

    async def _repair_recordings(self) -> None:
        try:
            untold = await self.store.untold_recordings()
        except StoreError as error:
            log.error("recordings not looked for", error=str(error))
            untold = []
        await self.recordings.repair(self.link.recordings, untold)

    # --- doors ------------------------------------------------------------------------------------------------

    async def _open_sip(self, nursery: trio.Nursery, clock: Callable[[], float]) -> list[str]:
        """Binds SIP; calls come from here on. Gives the bound addresses as in a SIP URI."""
        homes = Homes(sip_transport.local_address_for)
        networks = self.config.media.local_networks

        def local_address(remote: SipAddress) -> tuple[str, int]:
            return ours_for(remote, homes, self.config.sip.public_address, networks)

        shown = SipCertificate(self.config.sip, self._pages.certificate) if self.config.sip.tls else None
        if shown is not None:
            nursery.start_soon(shown.keep)
        settings = Settings(local_address, tcp=bool(self.config.sip.tcp), challenges=self.config.sip.challenges)
        if self.config.limits.calls:
            settings = evolve(settings, max_calls=self.config.limits.calls)
        self.endpoint = Endpoint(settings, token=lambda: secrets.token_hex(8), changed=set())
        self.endpoint.room = lambda: self.system.room
        self.signalling = Signalling(self.system, self.endpoint, clock, self.config.media.trunk_codecs)
        self.signalling.keep = self._keep_dialogs
        self.link.on_elsewhere = self.signalling.sends_from_elsewhere
        sip = self.config.sip
        speaks = [name for name, bound in (("udp", sip.udp), ("tcp", sip.tcp), ("tls", sip.tls)) if bound]
        bound = {(name, ":" in each.host) for name in speaks for each in getattr(sip, name)}
        resolver = Resolver(
            nursery,
            self.signalling.resolved,
            speaks,
            Random(),
            reaches=lambda address: (address.transport, address.six) in bound,
        )
        self.signalling.resolve, self.signalling.seek = resolver.resolve, resolver.seek
        self.store.ledger.on_commit = lambda upto: self._states.add(Committed(upto))
        self.wire = Wire(self.endpoint.whose, self.journal.spoke)
        self._geography = Geography(self.system.tell)
        nursery.start_soon(self._geography.run)
        self.system.connect(
            Hands(
                self.signalling.perform,
                self.link.perform,
                self._pages.push,
                self._pages.reply,
                self.store.ledger.keep,
                self._geography.locate,
                Recollection(nursery, self.store, self.system.tell).look_back,
            ),
            on_end=(self.signalling.on_end, self.link.on_end, self._pages.on_end),
        )

        async def serve(task_status: trio.TaskStatus[sip_transport.SipTransport]) -> None:
            await sip_transport.serve(
                self.endpoint,
                [(each.host, each.port) for each in self.config.sip.udp],
                self.signalling.on_output,
                tcp=[(each.host, each.port) for each in self.config.sip.tcp],
                tls=[(each.host, each.port) for each in self.config.sip.tls],
                secure=shown.tls if shown is not None else None,
                clock=clock,
                on_error=lambda error: log.error("sip crashed", exc_info=error),
                before=lambda: self.signalling.keep(),
                tap=self.wire,
                homes=homes,
                task_status=task_status,
            )

        transport = await nursery.start(serve)
        self.signalling.connect(transport.perform)
        return [
            opened_at(each.host, each.port) + (f";transport={each.transport}" if each.reliable else "")
            for each in transport.addresses
        ]

    def _take_up(self, organisation: Organisation) -> None:
        """What the shells need of an organisation; the actors hear it from the switchboard."""
        self._look_over(organisation)
        self.organisation_name = organisation.name
        self.language = organisation.language
        self.time_zone = organisation.time_zone
        self.signalling.take_up(organisation)
        if len(organisation.outbound) > 1:
            self._geography.want()

    def _look_over(self, organisation: Organisation) -> None:
        """Says what is not as whoever wrote it may take it for."""
        if lacking := missing(organisation):
            command = f"cordboard import ORG.toml --data {self.data}"
            log.warning("organisation is incomplete", missing="; ".join(lacking), do=command)
        for each in warnings(organisation):
            log.warning("organisation", says=each)

    async def _hear_signals(self, nursery: trio.Nursery, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
            task_status.started()
            nursery.start_soon(self._end_when_orphaned)
            nursery.start_soon(self._drain, nursery)
            async for number in received:
                if number == signal.SIGHUP:
                    await self._reload()
                elif self._ending.is_set():
                    self._patience.cancel()
                else:
                    self._ending.set()

    async def _end_when_orphaned(self) -> None:
        await orphaned()
        self._ending.set()

    async def _reload(self) -> None:
        try:
            organisation = await self.store.load_organisation()
        except StoreError as error:
            log.error("organisation not taken up", error=str(error))
            return
        self._take_up(organisation)
        self.journal.take_up(organisation)
        self.system.tell("switchboard", self._configuration(organisation))
        log.info("organisation taken up")
        await self._pages.check_logins(self)

    def _configuration(self, organisation: Organisation) -> Configure:
        voice, patience = self.config.media, self.config.calls.patience
        return Configure(organisation, voice.webrtc_codecs, voice.trunk_codecs, patience, self.config.customs)

    async def _drain(self, nursery: trio.Nursery) -> None:
        """The end, once somebody wants it."""
        await self._ending.wait()
        self._serves = False
        self.system.tell("switchboard", Drain())
        patience = self.config.limits.drain_seconds
        if patience and (calls := self.signalling.calls):
            log.info("waits for calls to end; a second signal does not wait", calls=calls, seconds=patience)
        with trio.move_on_after(patience), self._patience:
            while self.system.alive("call:"):
                await trio.sleep(DRAIN_LOOK)
        self.system.stop()
        self._ended = True
        await trio.sleep(LAST_WORDS)
        nursery.cancel_scope.cancel()


def ours_for(remote: SipAddress, homes: Homes, public: str, networks: Sequence[IpNetwork]) -> tuple[str, int]:
    """The host and port by which `remote` reaches us. Outside `networks` it is told the `public` host, where there is
    one that it can reach."""
    home = homes.of(remote)
    if not public:
        return home.host, home.port
    ip = ipaddress.ip_address(remote.host)
    if not ip.is_loopback and not any(ip in network for network in networks):
        try:
            reachable = ipaddress.ip_address(public).version == ip.version
        except ValueError:
            reachable = True  # a name may have addresses of both families
        if reachable:
            return public, home.port
    return home.host, home.port


def opened_at(host: str, port: int) -> str:
    """As somebody can open it: where we listen on all addresses, by that which others see."""
    if is_any(host):
        host = sip_transport.local_address_for(ANYWHERE[":" in host])
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
