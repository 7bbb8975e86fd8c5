"""The shell between calls and SIP: the endpoint's outputs become messages to call actors, their effects its commands.

A new INVITE spawns its call actor before anything else can happen to it, so a CANCEL that follows at once finds its
call. Where the centre is full the endpoint refuses it with 503. A call actor that ends, however it ends, has its SIP
call hung up. What trunks ask of their hosts goes the same way, and what comes back is told to the trunk.

SIP calls outlive this process: what has changed since the last ask is in `snapshots`, and before anything of a step is
sent `keep` is called, so that it can be written first. `restore` takes a call up again for an actor that lives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import assert_never
from urllib.parse import quote

import structlog
from attrs import define

from ..sip import reason
from ..sip.binding import Binding
from ..sip.dialog import TRANSPORTS
from ..sip.digest import Account
from ..sip.endpoint import Endpoint, TrunkSettings
from ..sip.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    CallKeyed,
    CallProgressed,
    CallReanswered,
    CallReferred,
    CallReoffered,
    CallReofferRefused,
    CallTried,
    FlowLost,
    IncomingCall,
    Output,
    Refused,
    Registered,
    Replied,
    Sought,
    Transmit,
    Unconnected,
    Undelivered,
)
from ..sip.grammar import Address, LocalSipError, Uri, bracket, is_ip, same_host
from ..sip.registrar import BULK
from ..sip.sdp import TRUNK_CODECS, TrunkCodec
from ..sip.snapshot import CallSnapshot
from ..switch import protocol as media
from . import gate, signals
from .call import Call
from .effects import Sip
from .entries import Trunk
from .organisation import Organisation
from .redact import redacted
from .runtime import System

# What a caller is told whose call was lost before its answer, in seconds: by then the switch has found itself again.
RETRY_AFTER = 2

log = structlog.get_logger()


@define
class _Question:
    """What a trunk's host was asked; `trouble`: why there was no connection for it, as far as is known."""

    trunk: str
    method: str
    to: Address
    trouble: str = ""


class Signalling:
    """Between `endpoint` and the calls of `system`; `perform` sends what the endpoint wants sent. `codecs` are what
    trunks may speak, preferred first."""

    def __init__(
        self,
        system: System,
        endpoint: Endpoint,
        clock: Callable[[], float],
        codecs: tuple[TrunkCodec, ...] = TRUNK_CODECS,
    ) -> None:
        self._system = system
        self._codecs = codecs
        self._endpoint = endpoint
        self._clock = clock
        # call -> its trunk; attempts of calls out by names of their own
        self._live: dict[str, str] = {}
        # call out or line -> its attempts that live
        self._attempts: dict[str, set[str]] = {}
        # Of those that came in, the ones that have no final answer yet.
        self._unanswered: set[str] = set()
        self._asked: dict[str, _Question] = {}
        self._organisation = Organisation()
        self._hosts: dict[str, tuple[signals.Host, ...]] = {}
        # (trunk, user name) -> what was last said of it before it was changed, until we are registered so no more
        self._former: dict[tuple[str, str], Trunk] = {}
        # trunk -> what calls to its own hosts pass
        self._service_routes: dict[str, tuple[str, ...]] = {}
        # (trunk, "in" or "out", method, code) -> final answers to requests that begin something
        self.answers: Counter[tuple[str, str, str, int]] = Counter()
        # Finds the hosts of a trunk, and tells `resolved`; whoever can look up names sets it.
        self.resolve: Callable[[signals.Resolve], None] = lambda command: None
        # Finds where a name leads, for how many seconds that counts, and says so; whoever can look up names sets it.
        self.seek: Callable[[str, Callable[[tuple[Address, ...], float], None]], None] = _nowhere
        # Called before anything of a step is sent; whoever stores snapshots sets it.
        self.keep: Callable[[], None] = lambda: None if endpoint.changed is None else endpoint.changed.clear()
        self._transmit: Callable[[list[Output]], None] = lambda outputs: None

    def connect(self, perform: Callable[[list[Output]], None]) -> None:
        """Where the endpoint's outputs go: the transport, which hands back to `on_output` what is no datagram."""
        self._transmit = perform

    @property
    def calls(self) -> int:
        return len(self._live)

    @property
    def strange_calls(self) -> int:
        """How many INVITEs had no answer, for nobody knows where they came from; a call by UDP sends several."""
        return self._endpoint.counters["stranger INVITE"]

    def brought(self) -> Counter[str]:
        """By trunk, how many live that came in by it; attempts of calls out have names of their own."""
        return Counter(trunk for call, trunk in self._live.items() if signals.owner(call) == call)

    def lives(self, call: str) -> bool:
        return call in self._live or call in self._attempts

    @property
    def owners(self) -> set[str]:
        """The actors for which SIP calls live that nobody has given up."""
        return {signals.actor(call) for call in (*self._live, *self._endpoint.wanted())}

    # --- trunks -----------------------------------------------------------------------------------------------

    def take_up(self, organisation: Organisation) -> None:
        """Who may speak to us, and as whom we do; before `restore`."""
        kept = set(organisation.trunks)
        changed = [each for each in self._organisation.trunks if each.register and each not in kept]
        self._former.update({(each.id, each.username): each for each in changed})
        self._organisation = organisation
        self._settle()

    def resolved(self, trunk: str, found: signals.Resolved) -> None:
        """The hosts of a trunk are there: they speak for it too. Where none is found for once, the old ones stay."""
        wanted = any((each.id, each.proxy) == (trunk, found.proxies) for each in self._organisation.trunks)
        if wanted and found.hosts and self._hosts.get(trunk) != found.hosts:
            self._hosts[trunk] = found.hosts
            self._settle()
        self._system.tell(f"trunk:{trunk}", found)

    def _settle(self) -> None:
        settings: dict[str, TrunkSettings] = {}
        for trunk in self._organisation.trunks:
            hosts = [host for host in self._hosts.get(trunk.id, ()) if host.proxy in trunk.proxy]
            peers = [*map(str, trunk.peers), *(host.address for host in hosts)]
            account = _account_of(trunk)
            names = tuple(Uri.parse(proxy).host for proxy in trunk.proxy)
            settings[trunk.id] = TrunkSettings(
                tuple(dict.fromkeys(peers)),
                (*names, trunk.domain) if trunk.domain else names,
                account=account if trunk.proxy else None,
                # who has no machines that we could know shows itself to us
                guest=account if trunk.guest else None,
                nat=trunk.nat,
                registers=trunk.register,
                user=trunk.username if trunk.proxy else "",
                domain=trunk.domain,
                trusted=trunk.trusted,
                private=trunk.srtp,
                refers=trunk.refer,
                datagrams=any(Uri.parse(proxy).transport == "udp" for proxy in trunk.proxy),
                named={host.address: Uri.parse(host.proxy).host for host in hosts},
            )
        self._endpoint.set_trunks(settings)

    def _ask(self, command: signals.Ask) -> None:
        host, account = command.host, None
        register = command.method == "REGISTER"
        domain = self._domain_of(command.trunk)
        if register and not command.expires and (former := self._former.pop((command.trunk, command.username), None)):
            # who gives back what was granted is who asked for it, whoever we are by now (RFC 3261 §10.2.2)
            account, domain = _account_of(former), former.domain
        to = Address(host.address, host.port, host.transport)
        self._asked[command.ask] = _Question(command.trunk, command.method, to)
        outputs = self._endpoint.ask(
            command.ask,
            command.trunk,
            command.method,
            _registrar(host.proxy, domain) if register else host.proxy,
            to,
            self._clock(),
            user=command.username,
            expires=command.expires if register else None,
            call_id=command.call_id,
            cseq=command.cseq,
            routes=host.routes,
            account=account,
        )
        self._command(outputs)

    def _replied(self, output: Replied) -> None:
        question = self._asked.pop(output.request)
        self.answers[question.trunk, "out", question.method, output.status] += 1
        replied = signals.Replied(
            output.request,
            output.status,
            output.source is not None,
            output.cseq,
            output.call_id,
            output.expires,
            output.min_expires,
            output.retry_after,
            output.routes,
            question.trouble if output.source is None else "",
        )
        self._system.tell(f"trunk:{question.trunk}", replied)

    def _unconnected(self, remote: Address, trouble: str) -> None:
        """Whoever asks there hears why next."""
        for question in self._asked.values():
            if question.to == remote:
                question.trouble = trouble

    def _refused(self, source: Address, words: str) -> None:
        trunk, _ = self._endpoint.whose(source.host, ())
        where = {"host" if self._endpoint.is_peer(source.host) else "source": source.host}
        log.info("sip refused", **redacted({**({"trunk": trunk} if trunk else {}), **where, "reason": words}))

    def sends_from_elsewhere(self, actor: str, fact: media.LegElsewhere) -> None:
        """The far side of that actor's call, which cannot be heard: what its trunk's `nat` or the carrier mends. Where
        a guest is may be a home."""
        call = next((each for each in self._live if signals.actor(each) == actor), "")
        trunk = self._live.get(call, "")
        if not call:
            return  # it is over
        guest = any(each.id == trunk and each.guest for each in self._organisation.trunks)
        said, comes_from = f"{fact.address}:{fact.port}", f"{fact.source}:{fact.source_port}"
        where = {"address": said, "source": comes_from} if guest else {"said": said, "comes_from": comes_from}
        fields: dict[str, object] = {"call": signals.call_of(call), "trunk": trunk, "leg": fact.leg, **where}
        log.warning("sound comes from elsewhere than was said", **redacted(fields))

    def _located(self, name: str, targets: tuple[Address, ...], seconds: float) -> None:
        self._command(self._endpoint.located(name, targets, seconds, self._clock()))

    def _answered(self, call: str, status: int) -> None:
        """A call that came has its final answer."""
        if call in self._unanswered:
            self._unanswered.discard(call)
            self.answers[self._live[call], "in", "INVITE", status] += 1

    # --- over a restart ---------------------------------------------------------------------------------------

    def snapshots(self) -> Iterator[tuple[str, CallSnapshot | None]]:
        """The calls that have changed since the last ask, and what must be kept of them; None: nothing more."""
        changed = self._endpoint.changed
        while changed:
            call = changed.pop()
            yield call, self._endpoint.snapshot(call)

    def restore(self, snapshot: CallSnapshot, actor: str | None) -> None:
        """The SIP call again, for its actor, which lives already: what SIP has to say comes at once. Without one the
        call is ended: with BYE, or with 503 where it had no answer. Raises what `Endpoint.restore` does."""
        self._command(self._endpoint.restore(snapshot, self._clock()))
        if actor is not None:
            assert actor == signals.actor(snapshot.id), "a call is its actor's by name"
            if snapshot.live:
                self._begin(snapshot.id, snapshot.trunk)
                if snapshot.unanswered:
                    self._unanswered.add(snapshot.id)
        elif snapshot.unanswered:
            self._command(self._endpoint.reject(snapshot.id, 503, self._clock(), retry_after=RETRY_AFTER))
        elif snapshot.live:
            self._command(self._endpoint.hang_up(snapshot.id, self._clock(), reason.FAILED))

    # --- from SIP ---------------------------------------------------------------------------------------------

    def on_output(self, output: Output) -> None:
        match output:
            case IncomingCall():
                self._incoming(output)
            case CallCancelled(call):
                self._answered(call, 487)
                self._tell(call, signals.Cancelled(call), over=True)
            case CallConfirmed(call, answer) | CallReanswered(call, answer):
                if answer is not None:  # else the far side has said all in its offer, and nobody waits for this
                    self._tell(call, signals.Confirmed(call, answer))
            case CallReofferRefused(call, status):
                log.info("sip new offer refused", call=call, status=status)
            case CallReoffered(call, offer):
                self._tell(call, signals.Reoffered(call, offer))
            case CallKeyed(call, digit):
                self._tell(call, signals.KeyPressed(call, digit))
            case CallReferred(call, number):
                self._tell(call, signals.Referred(call, number))
            case CallEnded(call, cause, _):
                self._tell(call, signals.Released(call, _CAUSES[cause], cause == "bye"), over=True)
            case CallTried(call):
                self._tell(call, signals.Progressed(call, 100, None))
            case CallProgressed(call, status, answer):
                self._tell(call, signals.Progressed(call, status, answer))
            case CallAnswered(call, description):
                self.answers[self._live[call], "out", "INVITE", 200] += 1
                self._tell(call, signals.PickedUp(call, description))
            case CallFailed(call, status, words, retry_after, redirects, cause):
                trunk = self._live[call]
                self.answers[trunk, "out", "INVITE", status] += 1
                to = self._redirects(trunk, redirects)
                self._tell(call, signals.Failed(call, status, words, retry_after, to, cause), over=True)
            case Replied():
                self._replied(output)
            case Registered(trunk, bindings, lost):
                contacts = tuple(signals.Contact(_host_of(each), each) for each in bindings)
                self._system.tell(f"trunk:{trunk}", signals.Registered(contacts, lost))
            case Sought(name):
                self.seek(name, partial(self._located, name))
            case FlowLost(trunk):
                self._system.tell(f"trunk:{trunk}", signals.FlowLost())
            case Refused(source, words):
                self._refused(source, words)
            case Unconnected(remote, trouble):
                self._unconnected(remote, trouble)
            case Undelivered(call, trunk, method):
                log.warning("sip request not sent", call=call, trunk=trunk, method=method)
            case Transmit():
                raise AssertionError("datagrams are the transport's")
            case _:
                assert_never(output)

    def _redirects(self, trunk: str, uris: tuple[str, ...]) -> tuple[signals.Redirect, ...]:
        """Where a host of this trunk sends a call on to. An address is a host by itself; a name is one where we know an
        address of it."""
        found: list[signals.Redirect] = []
        known = self._hosts.get(trunk, ())
        for each in uris:
            uri = Uri.parse(each)
            if is_ip(uri.host):
                transport = uri.transport or (known[0].transport if known else "udp")
                at = Address.at(uri.host, uri.port, transport)
                named = f"{uri.scheme}:{at}"
                named += f";transport={transport}" if at.reliable and uri.scheme == "sip" else ""
                hosts = [signals.Host(named, at.host, at.port, transport)] if transport in TRANSPORTS else []
            else:
                domain = self._domain_of(trunk)
                hosts = [
                    host
                    for host in known
                    if same_host(Uri.parse(host.proxy).host, uri.host) or same_host(domain, uri.host)
                ]
            found += [signals.Redirect(uri.number, host) for host in hosts[:1]]
        return tuple(found)

    def _domain_of(self, trunk: str) -> str:
        return next((each.domain for each in self._organisation.trunks if each.id == trunk), "")

    def _incoming(self, output: IncomingCall) -> None:
        # what a carrier calls besides may be ours too: the name by which it knows us
        called = (output.number, Uri.parse(output.called_uri).number)
        dialled = next((each for each in called if self._organisation.dialled(each) is not None), output.number)
        arrived = signals.Arrived(
            call=output.call,
            trunk=output.trunk,
            dialled=dialled,
            caller=output.caller or "",
            caller_name=output.caller_name,
            offer=output.offer,
            peer=output.peer,
            codecs=self._codecs,
            diverted_from=output.diverted_from,
            early=output.early,
            srtp=any(trunk.srtp for trunk in self._organisation.trunks if trunk.id == output.trunk),
            # RFC 7332 §4; of none left the next hop says so (483)
            forwards=max(output.forwards - 1, 0),
        )
        self._begin(output.call, output.trunk)
        self._unanswered.add(output.call)
        self._system.counters["calls"] += 1
        self._system.pressure.setups.begin(output.call, self._clock())
        self._system.pressure.load.begun()
        self._system.spawn(f"call:{output.call}", Call(arrived, self._clock()))

    def _tell(self, call: str, signal: signals.SipSignal | signals.DialledSignal, *, over: bool = False) -> None:
        if over:
            self._over(call)
        self._system.tell(signals.actor(call), signal)

    def _begin(self, call: str, trunk: str) -> None:
        self._live[call] = trunk
        if (owner := signals.owner(call)) != call:
            self._attempts.setdefault(owner, set()).add(call)

    def _over(self, call: str) -> None:
        self._system.pressure.setups.gone(call)
        if self._live.pop(call, None) is not None:
            self._system.pressure.load.ended()
        attempts = self._attempts.get(owner := signals.owner(call))
        if attempts is not None:
            attempts.discard(call)
            if not attempts:
                del self._attempts[owner]

    # --- from calls -------------------------------------------------------------------------------------------

    def perform(self, actor: str, effect: Sip) -> None:
        """One SIP effect of a call or a trunk."""
        now, command = self._clock(), effect.command
        match command:
            case signals.AnswerEarly(call, description):
                self._system.pressure.setups.done(call, now)
                self._command(self._endpoint.progress(call, description, now))
            case signals.AnswerSip(call, description):
                self._system.pressure.setups.done(call, now)
                self._answered(call, 200)
                self._command(self._endpoint.answer(call, description, now))
            case signals.Reject(call, status, phrase, retry_after):
                self._answered(call, status)
                self._over(call)
                outputs = self._endpoint.reject(
                    call, status, now, reason=phrase or None, retry_after=retry_after or None
                )
                self._command(outputs)
            case signals.Release(call, _, why):
                self._hang_up(call, _REASONS[why])
            case signals.Reanswer(call, description):
                self._command(self._endpoint.reanswer(call, description, now))
            case signals.RejectReoffer(call, status):
                self._command(self._endpoint.reject_reoffer(call, status, now))
            case signals.AcceptReferral(call):
                self._command(self._endpoint.accept_referral(call, now))
            case signals.RejectReferral(call, status):
                self._command(self._endpoint.reject_referral(call, status, now))
            case signals.ReferralStands(call, status):
                self._command(self._endpoint.referral_stands(call, status, now))
            case signals.Dial():
                self._dial(command)
            case signals.Resolve():
                self.resolve(command)
            case signals.Ask():
                self._ask(command)
            case signals.Bind(bound, bindings):
                self._endpoint.bind(bound, bindings)
            case signals.ServiceRoute(registers, routes):
                self._service_routes[registers] = routes
            case _:
                assert_never(command)

    def _dial(self, command: signals.Dial) -> None:
        """In the trunk's writing of both numbers. What cannot even be asked for has failed."""
        now, call, host = self._clock(), command.call, command.host
        self._begin(call, command.trunk)
        organisation = self._organisation
        trunk = next((each for each in organisation.trunks if each.id == command.trunk), None)
        if trunk is None:
            self._command([CallFailed(call, 503, "the trunk is gone")])
            return
        number = gate.written(gate.Target(command.number, command.dialled), trunk, organisation.country)
        ours = gate.read(command.shown, organisation.country)
        us = trunk.username if trunk.proxy else ""  # else it is what the PBX is called
        shown = us if ours is None else gate.written(ours, trunk, organisation.country)
        uri, called = _called(number, host.proxy, trunk)
        own = host in self._hosts.get(trunk.id, ())
        try:
            outputs = self._endpoint.dial(
                call,
                uri,
                Address(host.address, host.port, host.transport),
                shown or None,
                command.description,
                now,
                trunk=command.trunk,
                asserted=shown,
                routes=self._service_routes.get(trunk.id, ()) if own else host.routes,
                called=called,
                forwards=command.forwards,
            )
        except LocalSipError as error:
            log.error("cannot be dialled", call=call, trunk=command.trunk, error=str(error))
            outputs = [CallFailed(call, 500, "cannot be dialled")]
        self._command(outputs)

    def on_end(self, actor: str, why: str) -> None:
        """The actor of a call or a line is gone: so is its SIP call, or what there is of attempts."""
        if actor.startswith(("call:", "line:")):
            call = actor.partition(":")[2]
            for each in (call, *sorted(self._attempts.get(call, ()))):
                self._hang_up(each, reason.FAILED)  # one that ends in good order has said so

    def end_unowned(self, actor: str) -> None:
        """The SIP calls of an actor that is gone, of which this shell knows nothing any more."""
        for call in self._endpoint.wanted():
            if signals.actor(call) == actor:
                self._command(self._endpoint.hang_up(call, self._clock(), reason.FAILED))

    def _hang_up(self, call: str, said: str) -> None:
        if call in self._live:
            self._answered(call, 480)
            self._over(call)
            self._command(self._endpoint.hang_up(call, self._clock(), said))

    def _command(self, outputs: list[Output]) -> None:
        self._transmit(outputs)


def _nowhere(name: str, tell: Callable[[tuple[Address, ...], float], None]) -> None:
    tell((), 0.0)


_REASONS: dict[signals.Why, str] = {
    "cleared": reason.CLEARED,
    "no_answer": reason.NO_ANSWER,
    "elsewhere": reason.ELSEWHERE,
    "timer": reason.TIMER,
    "failed": reason.FAILED,
}
_CAUSES = {
    "bye": "hung up",
    "no-ack": "the answer was never acknowledged",
    "bad-answer": "no usable media",
    "lost": "the far side knew no such call",
    "expired": "the session was not refreshed",
}


def _called(number: str, proxy: str, trunk: Trunk) -> tuple[str, str]:
    """What is called, and the user of To where that is another: `#` is no sign of either (RFC 3261 §25.1).

    A PBX that registers with us is called by its Contact as it is (§16.6), unless that says that it stands for all its
    numbers (`bnc`, RFC 6140 §7.1), or the trunk does, or it has no user: of a host alone one asks for a number."""
    user = quote(number, safe="+*")
    named = Uri.parse(proxy)
    if not trunk.proxy and trunk.number_in == "to" and named.user is not None and named.param(BULK) is None:
        return proxy, user
    scheme, _, rest = proxy.partition(":")
    if trunk.domain:
        return f"{scheme}:{user}@{bracket(trunk.domain)}", ""
    host, *params = rest.rpartition("@")[2].split(";")
    kept = [each for each in params if each.partition("=")[0].lower() != BULK]
    return f"{scheme}:{user}@{';'.join((host, *kept))}", ""


def _account_of(trunk: Trunk) -> Account | None:
    return Account(trunk.login or trunk.username, trunk.password, trunk.realms) if trunk.username else None


def _host_of(binding: Binding) -> signals.Host:
    return signals.Host(binding.uri, binding.address, binding.port, binding.transport, binding.routes, guest=True)


def _registrar(proxy: str, domain: str) -> str:
    """The Request-URI of a REGISTER has no user (RFC 3261 §10.2)."""
    scheme, _, rest = proxy.partition(":")
    return f"{scheme}:{bracket(domain) or rest.rpartition('@')[2]}"
