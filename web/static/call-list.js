// The list of calls as one page shows it: what was asked for, what came, and when to ask again.
//
// A call that rings, is answered or ends is a hint that the list has changed. Hints are gathered: one request after the
// switch has had time to write, never two within GAP_MS, none while nobody looks. While recordings of its calls are made,
// it asks now and then. Nothing here touches the document.

const SETTLE_MS = 400; // a call is written some 100 ms after its end
const AGAIN_MS = 1000; // where it was not in the list even then
const GAP_MS = 2000;
// How long until to ask again while a recording is made; the last goes on.
const MAKING_MS = [2000, 2000, 4000, 8000, 15000, 30000];

/** The order of the list is the newest first; negative where `one` stands below `other`. */
const order = (one, other) => one.began - other.began || (one.call < other.call ? -1 : one.call > other.call ? 1 : 0);

/** A fresh first page, and below it what is known of further ones, unless so much is new that a gap would be between. */
export function merged({ calls, next }, known, knownNext) {
  const names = new Set(calls.map(({ call }) => call));
  if (!next || !known.some(({ call }) => names.has(call))) return { calls, next };
  const below = known.filter((one) => order(one, calls.at(-1)) < 0);
  return below.length ? { calls: [...calls, ...below], next: knownNext } : { calls, next };
}

export class CallList extends EventTarget {
  calls = null; // null: not known yet
  next = null; // where the next page begins
  kind = 'all';
  loading = false;
  loadingMore = false;
  error = null;
  #ask;
  #looked = false;
  #stale = true;
  #timer = 0; // 0: nothing is waited for
  #due = 0;
  #askedAt = -Infinity;
  #asked = 0; // counts requests, so that only the answer to the newest counts
  #awaited = new Map(); // calls that ended and must be in the list soon -> requests made for them
  #making = 0; // requests since something happened, while a recording is made
  #query = {};

  /** `ask(query)` gives a page: {calls, next}. */
  constructor(ask) {
    super();
    this.#ask = ask;
  }

  /** Whether somebody sees the list; what changed meanwhile is asked for when somebody does. */
  look(looked) {
    this.#looked = looked;
    if (looked && this.#stale) this.#schedule(0);
    if (!looked) this.#rest(); // what was waited for stays stale
  }

  /** Another list: of one class, or of other agents (`query` as the switch takes it). */
  show(kind, query = this.#query) {
    if (kind === this.kind && JSON.stringify(query) === JSON.stringify(this.#query)) return;
    this.kind = kind;
    this.#query = query;
    this.calls = null;
    this.next = null;
    this.error = null;
    this.#stale = true;
    if (this.#looked) this.refresh();
  }

  /** Something happened that shows after `wait` ms; `ended` is a call that will be in the list as ended. */
  hint(ended = '', wait = SETTLE_MS) {
    if (ended) this.#awaited.set(ended, 0);
    this.#making = 0;
    this.#stale = true;
    if (this.#looked) this.#schedule(wait);
  }

  /** Hints that keep coming put nothing off: the earliest of what is waited for stands. */
  #schedule(wait) {
    const now = performance.now();
    const due = Math.max(now + wait, this.#askedAt + GAP_MS);
    if (this.#timer && this.#due <= due) return;
    this.#rest();
    this.#due = due;
    this.#timer = setTimeout(() => this.refresh(), due - now);
  }

  #rest() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }

  #request(query) {
    return this.#ask({ class: this.kind, ...this.#query, ...query });
  }

  async refresh() {
    this.#rest();
    const turn = ++this.#asked;
    this.#askedAt = performance.now();
    this.#stale = false;
    this.loading = true;
    this.loadingMore = false;
    this.#changed();
    try {
      const page = await this.#request({});
      if (turn !== this.#asked) return;
      Object.assign(this, merged(page, this.calls ?? [], this.next));
      this.error = null;
      this.#settle(page.calls);
    } catch (error) {
      if (turn !== this.#asked) return;
      this.error = error;
      this.#stale = true; // asked for again when the link is back or something happens
    }
    this.loading = false;
    this.#changed();
  }

  /** Asks once more for a call that was not written in time, which a list of one class may never have; and for recordings
      that are not there yet. */
  #settle(newest) {
    for (const [call, tries] of this.#awaited) {
      const there = this.calls.some((one) => one.call === call && one.ended !== null);
      if (there || tries > 0 || this.kind !== 'all') this.#awaited.delete(call);
      else this.#awaited.set(call, tries + 1);
    }
    const making = newest.some(({ recording }) => recording === 'encoding');
    this.#stale ||= making;
    if (!this.#looked) return;
    if (this.#awaited.size) this.#schedule(AGAIN_MS);
    if (making) this.#schedule(MAKING_MS[Math.min(this.#making++, MAKING_MS.length - 1)]);
  }

  /** The next page. */
  async more() {
    if (!this.next || this.loadingMore) return;
    const turn = this.#asked;
    this.loadingMore = true;
    this.#changed();
    try {
      const page = await this.#request({ cursor: this.next });
      if (turn !== this.#asked) return;
      this.calls = [...this.calls, ...page.calls];
      this.next = page.next;
    } catch (error) {
      if (turn !== this.#asked) return;
      this.error = error;
    }
    this.loadingMore = false;
    this.#changed();
  }
}
