// Who is in a call, and what this agent may do about it; from the desk as the switch tells it. Pure.

/** Whether the customer is held, and since when. Before the switch has told of the parties nobody is. */
export function partiesOf({ connected, parties }) {
  if (!connected || parties?.call !== connected.call) return { customerHeld: false, heldSince: null };
  return { customerHeld: parties.customer_held, heldSince: parties.held_since };
}

/**
 * Everybody in the call, from the customer on; nobody where there is none: [{who, name, number, state, since, joined}].
 * `state` is "talking" or "held", `since` may be null; `joined` is how one stands with the one before: "open" or "held".
 */
export function partyLine(desk) {
  const { connected } = desk;
  if (!connected) return [];
  const { customerHeld, heldSince } = partiesOf(desk);
  return [
    { who: 'customer', name: connected.name, number: connected.number, state: customerHeld ? 'held' : 'talking', since: heldSince, joined: '' },
    { who: 'you', state: 'talking', since: null, joined: customerHeld ? 'held' : 'open' },
  ];
}

const mine = (desk) => desk.owner === 'this' && desk.state === 'talking' && desk.connected !== null;

/** Which acts mean something now; the switch decides. */
export const may = {
  hold: (desk) => mine(desk) && !partiesOf(desk).customerHeld,
  retrieve: (desk) => mine(desk) && partiesOf(desk).customerHeld,
  survey: (desk) => desk.owner === 'this' && desk.state === 'talking' && (desk.connected ?? desk.dialling) !== null,
};
