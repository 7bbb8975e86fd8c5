// What is typed of calls on its way to the switch, and what the switch knows of them on its way here.
//
// One request after the other, so that every answer is newer than the one before. What is not answered is said again, in
// the same words, at first soon and then seldom: an edit, a tag or a ticket that the switch has already changes nothing.

import { HttpError, paperOf, writePaper } from './api.js';
import { newestOf, reconciled, sendable, stored } from './drafts.js';

const AGAIN_MS = [1000, 2000, 4000, 8000, 15000]; // between attempts; the last goes on

/** What is posted of an entry. */
const changeOf = ({ kind, edit, value, version, tag, on, key, title, text }) =>
  ({
    edit: () => ({ edit: { ...edit, value, version } }),
    tag: () => ({ tag, on }),
    open: () => ({ ticket: { key, title, text } }),
  })[kind]();

export class Sending {
  #paper;
  #due = new Map(); // entry -> when it is to be sent
  #stale = false; // the paper at hand is to be asked for
  #asking = false; // a request is under way
  #failures = 0; // in a row
  #unheard = false; // the paper was asked for in vain
  #notBefore = 0; // after a failure
  #timer = 0;

  /** @param paper whose entries and papers these are. */
  constructor(paper) {
    this.#paper = paper;
  }

  /** The paper at hand is to be asked for. */
  ask(wait = 0) {
    if (!this.#paper.call || this.#stale) return;
    this.#stale = true;
    setTimeout(() => this.#work(), wait);
  }

  /** Now, and not when a failure is over. */
  retry() {
    this.#failures = this.#notBefore = 0;
    this.#work();
  }

  /** What pages left that are gone is sent by this one. */
  async adopt() {
    if (await this.#paper.drafts.adopt()) this.#work();
  }

  /** An entry is to be sent after `wait` ms, and not before. */
  soon(call, name, wait) {
    this.#due.set(`${call} ${name}`, performance.now() + wait);
    this.#work();
  }

  /** Whether the switch has not answered lately. */
  get fails() {
    return this.#failures > 0;
  }

  /** The page goes, or its agent: whatever is not saved is sent once more, and is kept until it is known to have come. */
  async leave() {
    const { drafts, me } = this.#paper;
    await Promise.all(this.#sendable.map(async (entry) => (await this.#last(entry, me)) && drafts.came(entry)));
  }

  /** Whether it has come. What was under way may have been quicker, and what was typed on is based on that. */
  async #last(entry, me) {
    try {
      await writePaper(me, entry.call, changeOf(entry));
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const newest = error.told.paper && newestOf(error.told.paper, entry.edit, me);
      const now = newest ? reconciled(entry, newest, me) : entry;
      return now === null || (now !== entry && this.#last(now, me)); // else nobody is there to be told
    }
    return true;
  }

  // --- one after the other --------------------------------------------------------------------------------------

  /** Entries that can be sent, now or later. */
  get #sendable() {
    return this.#paper.drafts.mine.filter((entry) => !entry.refused && sendable(entry) && !this.#paper.contradicted(entry));
  }

  #dueAt({ call, name }) {
    return this.#due.get(`${call} ${name}`) ?? 0;
  }

  /** One request after the other, until nothing is due; a failure makes all of them wait. */
  async #work() {
    clearTimeout(this.#timer);
    if (this.#asking || !this.#paper.me) return;
    const next = this.#sendable.sort((one, other) => this.#dueAt(one) - this.#dueAt(other))[0];
    if (!this.#stale && !next) return;
    const load = this.#stale && !(next && this.#unheard); // what fails holds up nothing else
    const wait = Math.max(load ? 0 : this.#dueAt(next), this.#notBefore) - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#work(), wait);
      return;
    }
    this.#asking = true;
    const done = load ? await this.#load() : await this.#send(next);
    this.#asking = false;
    this.#unheard = load && !done;
    if (done) this.#failures = this.#notBefore = 0;
    else this.#notBefore = performance.now() + AGAIN_MS[Math.min(this.#failures++, AGAIN_MS.length - 1)];
    if (!load && !done) this.#due.set(`${next.call} ${next.name}`, this.#notBefore);
    this.#paper.changed();
    this.#work();
  }

  /** Whether it came, or will not come. A call that has just begun may not be written yet, nor who talks in it. */
  async #load() {
    const paper = this.#paper;
    const { call } = paper;
    let again;
    this.#stale = false;
    try {
      const found = await paperOf(call);
      this.#heard(call, found);
      if (call !== paper.call) return true;
      paper.error = null;
      again = paper.talks(call) && !found.writable && this.#failures < AGAIN_MS.length;
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      if (call !== paper.call) return true;
      paper.error = error;
      again = (paper.begins(call) && this.#failures < AGAIN_MS.length) || ![403, 404].includes(error.status);
    }
    this.#stale ||= again;
    return !again;
  }

  /** Whether the switch said yes or no to it. */
  async #send({ call, name, ...entry }) {
    const { drafts, me } = this.#paper;
    const { kind, edit, on } = entry;
    const value = entry.sent ?? entry.value; // said again where the answer was lost, before anything newer
    if (kind === 'edit') drafts.put(call, name, { ...entry, sent: value });
    this.#paper.changed();
    try {
      const paper = await writePaper(me, call, changeOf({ ...entry, value }));
      const now = drafts.get(call, name);
      if (kind === 'edit') now && drafts.put(call, name, stored(now, value, newestOf(paper, edit, me)));
      else if (kind !== 'tag' || now?.on === on) drafts.put(call, name, null);
      this.#heard(call, paper);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      if (error.status === 409 && error.told.paper) {
        const now = drafts.get(call, name);
        if (now) drafts.put(call, name, { ...now, sent: undefined });
        this.#heard(call, error.told.paper);
      } else if (![400, 403, 404].includes(error.status)) return false;
      else this.#paper.refuse(call, name, value, error.status);
    }
    return true;
  }

  /** The newest of a call: what is typed about it is measured by it. */
  #heard(call, paper) {
    const { drafts, papers, me } = this.#paper;
    for (const entry of drafts.mine) {
      if (entry.kind !== 'edit' || entry.call !== call) continue;
      const { call: _, name, ...edit } = entry;
      const now = reconciled(edit, newestOf(paper, edit.edit, me), me);
      if (now !== edit) drafts.put(call, name, now);
    }
    const kept = new Set([this.#paper.call, ...drafts.mine.map((entry) => entry.call)]);
    papers.set(call, paper);
    for (const known of papers.keys()) if (!kept.has(known)) papers.delete(known);
  }
}
