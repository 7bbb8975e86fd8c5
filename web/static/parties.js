// Who is in a call, and what this agent may do about them; from the desk as the switch tells it. Pure.
//
// A call has its customer, at most one agent whose call it is, and at most one second party: one who is consulted, or the
// third of a three-way call. Before the switch has told of the parties there are the customer and the agent.

import { speaks } from './desk.js';

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
