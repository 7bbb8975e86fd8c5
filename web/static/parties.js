// Who is in a call, and what this agent may do about them; from the desk as the switch tells it. Pure.
//
// A call has its customer, at most one agent whose call it is, and at most one second party: one who is consulted, or the
// third of a three-way call. Before the switch has told of the parties there are the customer and the agent.

import { speaks, troubles } from './desk.js';

const ALONE = Object.freeze({ role: 'agent', customerHeld: false, heldSince: null, second: null, by: '', byName: '', number: '' });
// Of a call into which another agent asked this one: its parties decide about it, and until they are told, nobody here does.
const ASKED = Object.freeze({ ...ALONE, role: 'second' });

/** The parties of the call that is talked in. */
export function partiesOf({ connected, parties }) {
  if (!connected || parties?.call !== connected.call) return ['consult', 'three_way'].includes(connected?.purpose) ? ASKED : ALONE;
  return {
    role: parties.role ?? 'agent',
    customerHeld: parties.customer_held,
    heldSince: parties.held_since,
    second: parties.second ?? null,
    by: parties.by ?? '',
    byName: parties.by_name ?? '',
    number: parties.number ?? '',
  };
}

/** "call", "consult", "three_way" or "referred": which controls there are; "second" for an agent who was asked into the call. */
export function modeOf(desk) {
  const { role, second } = partiesOf(desk);
  return role === 'second' ? role : (second?.purpose ?? 'call');
}

/**
 * Everybody in the call, from the customer on; nobody where there is none: [{who, name, number, kind, state, since, joined}]. `state` is "talking",
 * "held", "ringing" or "early" (it rings, and what it says is heard), `since` may be null; `joined` is how one stands with
 * the one before: "open", "held" or "ringing".
 */
export function partyLine(desk) {
  const { connected } = desk;
  if (!connected) return [];
  const { role, customerHeld, heldSince, second, by, byName, number: moved } = partiesOf(desk);
  // whoever the customer's side has put through is there in its place, under a number of its own
  const who = moved ? { name: '', number: moved } : { name: connected.name, number: connected.number };
  const leaves = second?.purpose === 'referred';
  const customer = { who: 'customer', ...who, state: leaves ? 'leaving' : customerHeld ? 'held' : 'talking', since: heldSince, joined: '' };
  const you = { who: 'you', state: 'talking', since: null, joined: customerHeld || leaves ? 'held' : 'open' };
  if (role === 'second') {
    const agent = { who: 'agent', name: byName || by || connected.by_name, number: '', state: 'talking', since: null, joined: you.joined };
    const held = second?.held ?? false;
    return [customer, agent, { ...you, state: held ? 'held' : 'talking', joined: held ? 'held' : 'open' }];
  }
  if (!second) return [customer, you];
  const { name, agent, number, kind, since, state, early, held } = second;
  const stands = state === 'ringing' ? (early ? 'early' : 'ringing') : held ? 'held' : 'talking';
  const joined = { early: 'open', talking: 'open' }[stands] ?? stands;
  return [customer, you, { who: 'second', name: name || agent, number, kind, state: stands, since, joined }];
}

/** What does not get through in the call and should, as `troubles` names it: of a customer with whom this agent is not, because
    one of them is on hold, nothing. */
export function unheard(desk) {
  if (!desk.sound) return [];
  return troubles(withCustomer(desk) ? desk.sound : { ...desk.sound, caller_heard: true, caller_hears: true, caller_silent_since: null });
}

const stateOf = (line, who) => line.find((one) => one.who === who);

/** Whether this agent and the customer are to hear each other. */
function withCustomer(desk) {
  const line = partyLine(desk);
  return stateOf(line, 'customer')?.state === 'talking' && stateOf(line, 'you').state === 'talking';
}

const heardBy = ({ connected, sound }) => !connected.muted && (sound?.caller_hears ?? true);

/**
 * What is new of the parties of the call, in the order to tell it: [{key, who}], `who` being one of the line. The customer
 * "hears you" only where it does: not while the agent itself is on hold or muted, or nothing arrives there.
 */
export function partyNews(before, desk) {
  if (!desk.connected) return [];
  const [was, is] = [before.connected?.call === desk.connected.call ? partyLine(before) : [], partyLine(desk)];
  const news = [];
  for (const who of is) {
    const known = stateOf(was, who.who);
    if (who.who === 'customer') {
      const moved = known !== undefined && known.number !== who.number; // its side put it through
      const [apart, comes] = [known !== undefined && !withCustomer(before), withCustomer(desk)];
      if (moved && known.state !== who.state) news.push({ key: 'party.customer.moved', who });
      else if (comes && apart) news.push({ key: heardBy(desk) ? 'party.customer.talking' : 'party.customer.back', who });
      else if (who.state !== (known?.state ?? 'talking') && who.state !== 'talking') news.push({ key: `party.customer.${who.state}`, who });
    } else if (who.who === 'you' && who.state !== (known?.state ?? 'talking')) {
      news.push({ key: `party.you.${who.state}`, who: stateOf(is, 'agent') ?? who });
    } else if (who.who === 'second' && who.state !== known?.state) {
      news.push({ key: `party.second.${who.state}`, who });
    }
  }
  const gone = stateOf(is, 'second') ? undefined : stateOf(was, 'second');
  const told = desk.over !== null || news.some(({ key }) => key === 'party.customer.moved'); // why, or where it is now
  if (gone && !told) news.push({ key: gone.state === 'ringing' ? 'party.second.unasked' : 'party.second.gone', who: gone });
  return news;
}

const mine = (desk) => speaks(desk) && desk.state === 'talking' && desk.connected !== null;

/** A rule over the parties of a call that is this agent's own. */
const own = (rule) => (desk) => mine(desk) && partiesOf(desk).role === 'agent' && rule(partiesOf(desk));
const consults = ({ second }) => second?.purpose === 'consult';

/** Which acts mean something now; the switch decides. */
export const may = {
  hold: own((parties) => !parties.customerHeld && !consults(parties) && parties.second?.purpose !== 'referred'),
  retrieve: own((parties) => parties.customerHeld && !consults(parties)),
  consult: own(({ second }) => !second),
  transfer: own(({ second }) => !second),
  invite: own(({ second, customerHeld }) => !second && !customerHeld),
  complete: own(consults),
  cancel: own(({ second }) => second !== null),
  swap: own(({ second }) => consults({ second }) && second.state === 'talking'),
  merge: own(({ second }) => consults({ second }) && second.state === 'talking'),
  survey: (desk) => speaks(desk) && desk.state === 'talking' && (desk.connected ? own(({ second }) => !second)(desk) : desk.dialling !== null),
};
