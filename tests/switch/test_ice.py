"""The lite ICE agent: its table, and the stories of a browser that connects, moves and goes away."""

from itertools import product

import pytest
from aioice import stun as codec
from cordboard.switch import ice, stun
from cordboard.switch.ice import CONSENT_SECONDS, MAX_VALID, TABLE, Crossing, IceAgent, Input, State
from cordboard.switch.protocol import WebrtcLegOpened

from .test_stun import PASSWORD as RFC_5769_PASSWORD
from .test_stun import REQUEST as RFC_5769_REQUEST
from .webrtc_peer import ELSEWHERE, HERE, IDENTITY, Browser, secrets


def pair() -> tuple[Browser, IceAgent]:
    credentials = ice.draw_credentials(secrets())
    browser = Browser()
    browser.answer = WebrtcLegOpened("leg-1", credentials.ufrag, credentials.pwd, IDENTITY.fingerprint, ())
    return browser, IceAgent(credentials, "brow", 0.0)


def receive(agent: IceAgent, datagram: bytes, address: stun.Address, now: float) -> list[ice.Output]:
    return agent.receive(stun.parse_request(datagram), address, now)


def test_every_state_and_input_is_a_transition_a_crossing_or_a_named_bug() -> None:
    bugs = {(State.FAILED, Input.SILENCE), (State.CLOSED, Input.SILENCE)}
    assert set(TABLE) == set(product(State, Input)) - bugs
    for (state, what), after in TABLE.items():
        ended = state in (State.FAILED, State.CLOSED)
        assert isinstance(after, Crossing) == ended, (state, what)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("what", Input)
def test_the_agent_walks_its_table(state: State, what: Input) -> None:
    browser, agent = pair()
    if state in (State.CHECKED, State.NOMINATED):
        receive(agent, browser.check(nominate=state is State.NOMINATED), HERE, 1.0)
    elif state is State.FAILED:
        agent.wake(agent.deadline())
    elif state is State.CLOSED:
        agent.close()
    assert agent.state is state
    match what:
        case Input.CHECK | Input.NOMINATION:
            outputs = receive(agent, browser.check(nominate=what is Input.NOMINATION), HERE, 2.0)
        case Input.CONFLICT:
            outputs = receive(
                agent, browser.request({"USERNAME": f"{agent.local.ufrag}:brow", "ICE-CONTROLLED": 1}), HERE, 2.0
            )
        case Input.SILENCE:
            outputs = agent.wake(1e9)
        case Input.CLOSE:
            agent.close()
            outputs = []
    after = TABLE.get((state, what), state)
    assert agent.state is (state if isinstance(after, Crossing) else after)
    if isinstance(after, Crossing) and what is not Input.CLOSE:
        assert outputs == [ice.Refused("stun_late")]


def test_a_check_makes_its_source_valid_and_is_answered_there() -> None:
    browser, agent = pair()
    check = browser.check()
    outputs = receive(agent, check, HERE, 1.0)
    request = stun.parse_request(check)
    assert outputs == [ice.Reply(stun.success(request, HERE, agent.local.pwd.encode()), HERE), ice.Passed(HERE)]
    assert agent.last_check == 1.0
    assert agent.nominated is None


def test_a_browser_that_moves_is_followed() -> None:
    browser, agent = pair()
    assert ice.Nominated(HERE) in receive(agent, browser.check(nominate=True), HERE, 1.0)
    assert ice.Nominated(HERE) not in receive(agent, browser.check(nominate=True), HERE, 2.0)
    receive(agent, browser.check(), ELSEWHERE, 3.0)
    assert agent.nominated == HERE
    assert ice.Nominated(ELSEWHERE) in receive(agent, browser.check(nominate=True), ELSEWHERE, 4.0)
    assert agent.nominated == ELSEWHERE


def test_a_check_that_was_read_on_the_wire_is_worth_nothing_from_elsewhere() -> None:
    """It is signed, but not where it comes from: an eavesdropper that sent it again would have the call's packets."""
    browser, agent = pair()
    checks = [browser.check(nominate=True) for _ in range(100)]
    for i, check in enumerate(checks):
        receive(agent, check, HERE, 2.5 * i)
    for check in (checks[0], checks[-1]):
        assert receive(agent, check, ELSEWHERE, 250.0) == [ice.Refused("stun_replayed")]
    assert (agent.nominated, list(agent.valid)) == (HERE, [HERE])
    # Where the browser is already it may be repeated, as it is when the answer was lost; and a new one may move it.
    assert ice.Passed(HERE) in receive(agent, checks[-1], HERE, 250.0)
    assert ice.Nominated(ELSEWHERE) in receive(agent, browser.check(nominate=True), ELSEWHERE, 250.0)


def test_what_is_remembered_of_checks_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "REMEMBERED", 80)
    browser, agent = pair()
    checks = [browser.check() for _ in range(1000)]
    for i, check in enumerate(checks):
        receive(agent, check, HERE, float(i))
        assert len(agent._seen) <= 4 * 90
    assert receive(agent, checks[-80], ELSEWHERE, 1000.0) == [ice.Refused("stun_replayed")]
    assert ice.Passed(ELSEWHERE) in receive(agent, checks[0], ELSEWHERE, 1000.0)


@pytest.mark.parametrize(("password", "user"), [("wrong" * 5, None), (None, "%s:else")])
def test_wrong_credentials_are_refused_without_a_signature(password: str | None, user: str | None) -> None:
    browser, agent = pair()
    check = browser.check(password=password, user=user and user.replace("%s", agent.local.ufrag))
    assert receive(agent, check, HERE, 1.0) == [
        ice.Refused("stun_unauthenticated"),
        ice.Reply(stun.error(stun.parse_request(check), 401, None), HERE),
    ]
    assert agent.last_check is None
    assert agent.state is State.NEW


def test_a_browser_that_claims_to_be_controlled_hears_of_the_conflict() -> None:
    browser, agent = pair()
    check = browser.request({"USERNAME": f"{agent.local.ufrag}:brow", "ICE-CONTROLLED": 1})
    answer = stun.error(stun.parse_request(check), 487, agent.local.pwd.encode())
    assert receive(agent, check, HERE, 1.0) == [ice.Refused("stun_role_conflict"), ice.Reply(answer, HERE)]
    assert agent.last_check is None


def test_the_sample_request_of_rfc_5769_is_answered_as_its_client_expects() -> None:
    """It is of a controlled agent, which a lite one must tell of the conflict, signed with the sample's password."""
    agent = IceAgent(ice.Credentials("evtj", RFC_5769_PASSWORD.decode()), "h6vY", 0.0)
    refused, reply = receive(agent, RFC_5769_REQUEST, HERE, 1.0)
    assert refused == ice.Refused("stun_role_conflict")
    assert isinstance(reply, ice.Reply)
    answer = codec.parse_message(reply.datagram)
    assert answer.check_message_integrity(RFC_5769_PASSWORD)
    assert answer.attributes["ERROR-CODE"] == (487, "Role Conflict")
    assert answer.transaction_id == RFC_5769_REQUEST[8:20]
    for ufrag, password in (("h6vX", RFC_5769_PASSWORD), ("h6vY", b"x" * 22)):
        stranger = IceAgent(ice.Credentials("evtj", password.decode()), ufrag, 0.0)
        assert receive(stranger, RFC_5769_REQUEST, HERE, 1.0)[0] == ice.Refused("stun_unauthenticated")


def test_consent_ends_thirty_seconds_after_the_last_check_of_the_pair_in_use() -> None:
    browser, agent = pair()
    receive(agent, browser.check(nominate=True), HERE, 1.0)
    receive(agent, browser.check(), ELSEWHERE, 20.0)
    assert agent.wake(30.0) == [ice.Unchecked(10.0)]
    assert agent.deadline() == 1.0 + CONSENT_SECONDS
    assert ice.Checked() in receive(agent, browser.check(), HERE, 21.0)
    assert agent.wake(50.9) == [ice.Unchecked(29.9)]
    assert agent.wake(50.9) == []
    assert agent.wake(51.0) == [ice.Failed("the browser's ICE checks stopped")]
    assert agent.deadline() == float("inf")


def test_ten_seconds_without_a_check_are_told_once_and_the_next_check_too() -> None:
    browser, agent = pair()
    receive(agent, browser.check(nominate=True), HERE, 1.0)
    receive(agent, browser.check(), ELSEWHERE, 3.0)  # any address will do
    assert agent.deadline() == 13.0
    assert agent.wake(12.9) == []
    assert agent.wake(13.0) == [ice.Unchecked(10.0)]
    assert agent.wake(14.0) == []
    assert ice.Checked() in receive(agent, browser.check(), HERE, 15.0)
    assert ice.Checked() not in receive(agent, browser.check(), HERE, 16.0)
    assert agent.deadline() == 26.0


def test_a_browser_that_never_comes_fails() -> None:
    _, agent = pair()
    assert agent.wake(29.0) == []
    assert agent.wake(30.0) == [ice.Failed("no ICE check came")]


def test_addresses_are_bounded_and_the_nominated_one_stays() -> None:
    browser, agent = pair()
    receive(agent, browser.check(nominate=True), HERE, 0.0)
    addresses = [("203.0.113.1", 1000 + i, 0) for i in range(MAX_VALID)]
    outputs = []
    for i, address in enumerate(addresses):
        outputs += receive(agent, browser.check(), address, 1.0 + i)
    assert [one for one in outputs if isinstance(one, ice.Invalid)] == [ice.Invalid(addresses[0])]
    assert HERE in agent.valid
    assert len(agent.valid) == MAX_VALID


def test_credentials_are_of_ice_characters_and_long_enough() -> None:
    credentials = ice.draw_credentials(secrets())
    assert len(credentials.ufrag) == 8
    assert len(credentials.pwd) == 24
