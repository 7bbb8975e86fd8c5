// How colleagues stand: asked for once on each connection by whoever shows it, and kept up to date by what changes.

/** The list after a `colleagues` event: agent -> how it stands. Pure. */
export function afterColleagues(known, { begins, changed = [], gone = [] }) {
  const next = new Map(begins ? [] : known);
  for (const one of changed) next.set(one.agent, one);
  for (const agent of gone) next.delete(agent);
  return next;
}

/** Whom `me` may ask into a call, now: idle ones, who ring in their page, and then all with a mobile number, who ring there:
    [{key, mobile, of: how the colleague stands}]. `order` compares names. Pure. */
export function reachable(agents, me, order) {
  const others = [...agents.values()].filter(({ agent }) => agent !== me).sort((one, other) => order(one.name, other.name) || order(one.agent, other.agent));
  const target = (of, mobile) => ({ key: `${of.agent} ${mobile}`, mobile, of });
  return [
    ...others.filter(({ state }) => state === 'idle').map((of) => target(of, false)),
    ...others.filter(({ mobile }) => mobile).map((of) => target(of, true)),
  ];
}

export class Roster extends EventTarget {
  agents = new Map();
  known = false; // the list has come
  #connection;
  #wanted = false;
  #asking = false;

  constructor(connection) {
    super();
    this.#connection = connection;
    connection.addEventListener('open', () => {
      this.#asking = false;
      if (this.#wanted) this.#ask();
    });
  }

  /** From now on, and after each new connection, the list is kept. */
  watch() {
    this.#wanted = true;
    if (this.#connection.live) this.#ask();
  }

  /** Another person logged in, or nobody. */
  forget() {
    this.#wanted = this.#asking = this.known = false;
    this.agents = new Map();
  }

  hear(event) {
    this.agents = afterColleagues(this.agents, event);
    this.known = true;
    this.dispatchEvent(new CustomEvent('change', { detail: event }));
  }

  #ask() {
    if (this.#asking) return;
    this.#asking = true;
    this.#connection.request('colleagues.watch').catch(() => {
      this.#asking = false; // refused because the switch is busy, or the link went: the next `watch` or link asks again
    });
  }
}
