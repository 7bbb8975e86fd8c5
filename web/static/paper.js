// The paperwork of the call at hand: what the switch knows of its customer, and what is typed here about it.
//
// The call at hand is the one that rings, is dialled or talked in, and after that the last one. What is typed is an entry
// of `drafts.js` at once, and `sending.js` sends it when the typing pauses. An edit names the version that it was made from:
// where somebody else wrote meanwhile, both are shown and the agent chooses. Who types as a call comes finishes the word:
// the paper is the new call's a moment later.

import { Refusal } from './connection.js';
import { Drafts, clean, contradicts, half, nameOf, newestOf, sendable, whole } from './drafts.js';
import { Sending } from './sending.js';

const PAUSE_MS = 600; // without a key, until what was typed is sent
const TYPING_MS = 3000; // after a key, somebody is still at it
const LOOK_MS = 5000; // for entries of pages that are gone
const GATHER_MS = 100; // several changes are one question
const LONGEST = 4000;
const KEY = 'cordboard.call'; // the call at hand, for a page that is loaded anew

/** The call at hand by what the switch says of the agent; null where it is the last one that was. Pure. */
export const atHand = ({ offered, connected, dialling, outcome }) => connected ?? offered ?? dialling ?? (outcome?.kind === 'ended' ? outcome : null);

/** Why the switch does not take an entry, as the end of a key; `paper`: what is known of its call. Pure. */
function whyNot(paper, { kind }, status) {
  if (status === 403) return 'not_allowed';
  if (status === 404) return 'not_found';
  if (kind === 'tag' && paper?.customer.tags.length >= paper?.limits.tags) return 'tags';
  if (kind === 'open' && paper?.tickets.length >= paper?.limits.tickets) return 'tickets';
  return 'text';
}

export class Paper extends EventTarget {
  call = ''; // at hand
  waiting = null; // the call that came while somebody types: {call, number}
  error = null; // why there is no paper of the call
  me = '';
  drafts = new Drafts();
  papers = new Map(); // call -> its paper as told last; of the call at hand, and of those with something unsent
  #bench;
  #sending = new Sending(this);
  #turning = 0;
  #talked = ''; // the call that was asked for again since it is talked in
  #popped = ''; // the call that rings here, once it has been brought to the front
  #typedAt = -Infinity;
  #wrote = false; // something in this paper, so that it is worth saying that it is saved
  #composed = null; // where an input method composes: {view, keep}

  constructor(bench) {
    super();
    this.#bench = bench;
    this.drafts.addEventListener('change', () => this.changed());
    bench.addEventListener('change', () => this.#follow());
    bench.connection.addEventListener('event', ({ detail }) => detail.event === 'paper.changed' && detail.call === this.call && this.#sending.ask(GATHER_MS));
    addEventListener('pagehide', () => {
      this.#interrupt();
      this.#sending.leave();
    });
    addEventListener('online', () => this.#sending.retry());
    setInterval(() => this.me && this.#sending.adopt(), LOOK_MS);
  }

  /** Somebody logged in. */
  enter(agent) {
    this.me = agent;
    this.drafts.of(agent);
    const [whose, call] = JSON.parse(localStorage.getItem(KEY) ?? '["", ""]');
    if (whose === agent && call && !this.call) this.#take(call);
    this.#sending.adopt();
  }

  /** Nobody is logged in any more; what cannot be sent now waits for the next time. Whether there is such a thing. */
  async leave() {
    if (!this.me) return false;
    this.#interrupt();
    const sent = this.#sending.leave();
    this.me = this.call = '';
    this.papers.clear();
    this.waiting = this.error = null;
    await sent;
    return this.drafts.all.length > 0;
  }

  /** There is a new link: what changed meanwhile was not heard. */
  linked() {
    this.#sending.retry();
    this.#watch();
    this.#sending.ask();
  }

  changed() {
    this.dispatchEvent(new Event('change'));
  }

  // --- the call at hand -----------------------------------------------------------------------------------------

  #follow() {
    const { desk } = this.#bench;
    const next = desk && this.me ? atHand(desk) : null;
    if (!next) {
      this.waiting = null;
      this.#popped = '';
    }
    if (!next?.call) return;
    const talks = this.talks(next.call);
    if (next.call !== this.call) {
      clearTimeout(this.#turning);
      this.waiting = talks || !this.#types ? null : next;
      if (this.waiting) this.#turning = setTimeout(() => this.#follow(), TYPING_MS);
      else this.#take(next.call);
      this.changed();
    } else if (talks && this.#talked !== next.call) {
      this.#talked = next.call;
      this.#sending.ask(); // it was looked at while it rang, when nobody may write
    }
    this.#pop(desk.offered?.call ?? '');
  }

  /** A call that rings here, and did not before, is brought to the front. */
  #pop(rings) {
    if (rings === this.#popped || (rings && rings !== this.call)) return;
    this.#popped = rings;
    if (rings && !this.#types) this.dispatchEvent(new Event('pop'));
  }

  /** Whether the agent talks in a call, or dials it: who may write. */
  talks(call) {
    const { connected, dialling } = this.#bench.desk ?? {};
    return connected?.call === call || dialling?.call === call;
  }

  /** Whether a call has just begun for the agent. */
  begins(call) {
    return this.talks(call) || this.#bench.desk?.offered?.call === call;
  }

  get #types() {
    return this.call !== '' && (this.#composed !== null || performance.now() - this.#typedAt < TYPING_MS);
  }

  /** The call that came meanwhile is at hand now. */
  turn() {
    this.#interrupt();
    this.#typedAt = -Infinity;
    this.#follow();
  }

  #take(call) {
    this.settleAll();
    this.addTag();
    this.#interrupt();
    this.call = call;
    this.waiting = this.error = null;
    this.#wrote = false;
    localStorage.setItem(KEY, JSON.stringify([this.me, call]));
    this.#watch();
    this.#sending.retry();
    this.#sending.ask();
  }

  #watch() {
    if (!this.#bench.connection.live || !this.call) return;
    this.#bench.connection.request('paper.watch', { call: this.call }).catch((refusal) => {
      if (!(refusal instanceof Refusal)) throw refusal; // the question for the paper says what is wrong
    });
  }

  // --- what there is --------------------------------------------------------------------------------------------

  /** As the switch told it last; undefined until then. */
  get paper() {
    return this.papers.get(this.call);
  }

  get writable() {
    return this.paper?.writable ?? false;
  }

  get #entries() {
    return this.drafts.all.filter(({ call }) => call === this.call);
  }

  /** A field: its text with what was typed, the newest that the switch has, whether they contradict each other, and why it
      was refused. */
  field(edit) {
    const newest = newestOf(this.paper, edit, this.me);
    const draft = this.drafts.get(this.call, nameOf(edit));
    return {
      value: draft?.value ?? newest.value,
      newest,
      contradicted: draft !== undefined && contradicts(draft, newest),
      incomplete: draft !== undefined && !whole(edit.field, draft.value),
      refused: draft?.refused ?? '',
    };
  }

  /** How many characters a field takes. */
  limit(field) {
    return this.paper.limits[field] ?? LONGEST;
  }

  /** The customer's tags with what is to become of them. */
  get tags() {
    const tags = new Set(this.paper.customer.tags);
    for (const { kind, tag, on } of this.#entries) if (kind === 'tag') on ? tags.add(tag) : tags.delete(tag);
    return [...tags];
  }

  /** Tickets that the switch has not got yet. */
  get opening() {
    return this.#entries.filter(({ kind }) => kind === 'open').sort((one, other) => other.at - one.at);
  }

  /** How many tickets of the customer are not done. */
  get toDo() {
    return this.paper?.tickets.filter(({ fields }) => fields.status.value !== 'done').length ?? 0;
  }

  /** What was typed about other calls and is not sent by itself: refused, half, or contradicted by somebody else. */
  get elsewhere() {
    return this.drafts.mine.filter((entry) => entry.call !== this.call && (entry.refused || !sendable(entry) || this.contradicted(entry)));
  }

  newestIn(call, edit) {
    return newestOf(this.papers.get(call), edit, this.me);
  }

  /** Whether somebody else wrote after what an entry is based on. */
  contradicted({ call, kind, edit, ...entry }) {
    return kind === 'edit' && this.papers.has(call) && contradicts(entry, this.newestIn(call, edit));
  }

  /** How the paper at hand stands: "", "saved", "saving", "waiting" for the network, "choose", "incomplete", "refused". */
  get saved() {
    const entries = this.#entries.filter(({ kind }) => kind !== 'half');
    if (entries.some(({ refused }) => refused)) return 'refused';
    if (entries.some((entry) => this.contradicted(entry))) return 'choose';
    const sent = entries.filter(sendable);
    if (sent.length) return this.#sending.fails ? 'waiting' : 'saving';
    if (entries.length) return 'incomplete';
    return this.#wrote ? 'saved' : '';
  }

  // --- what is typed --------------------------------------------------------------------------------------------

  /** Somebody is at a field. */
  typing() {
    this.#typedAt = performance.now();
  }

  /** An input method composes in a view. Its letters are nobody's text until it is done, in which it takes its time; where
      it will not be done, as the field goes, `keep` keeps them. */
  composes(view, keep) {
    this.#composed = { view, keep };
    this.typing();
  }

  composing(view) {
    return this.#composed?.view === view;
  }

  /** It is done: whether it was not interrupted before, and what stood there kept. */
  composed(view) {
    if (!this.composing(view)) return false;
    this.#composed = null;
    this.typing();
    return true;
  }

  #interrupt() {
    const interrupted = this.#composed;
    this.#composed = null;
    if (this.call) interrupted?.keep();
  }

  /** `typed` stands in a field that showed `shown`, a version of it. */
  edit(edit, typed, shown) {
    const name = nameOf(edit);
    const { version = shown, sent } = this.drafts.get(this.call, name) ?? {};
    this.#keep(this.call, name, { kind: 'edit', edit, value: clean(edit.field, typed), version, sent }, PAUSE_MS);
  }

  /** The field was left. */
  settle(edit) {
    this.#hurry(this.call, nameOf(edit));
  }

  settleAll() {
    for (const { call, name } of this.drafts.mine) this.#hurry(call, name);
  }

  /** Ours stays, in the place of what somebody else wrote meanwhile. */
  keepMine(edit, call = this.call) {
    const draft = this.drafts.get(call, nameOf(edit));
    this.#keep(call, nameOf(edit), { ...draft, version: this.newestIn(call, edit).version, sent: undefined, refused: undefined });
  }

  takeTheirs(edit, call = this.call) {
    this.discard({ call, name: nameOf(edit) });
  }

  /** An entry is not wanted any more. */
  discard({ call, name }) {
    this.drafts.put(call, name, null);
    this.changed();
  }

  tag(text, on) {
    const tag = clean('tag', text).normalize('NFC').trim();
    if (!tag || (on && this.tags.includes(tag))) return;
    this.#keep(this.call, `tag ${tag}`, { kind: 'tag', tag, on });
  }

  /** What was half written of a ticket is one. */
  openTicket(call = this.call) {
    const { written = {}, number } = this.drafts.get(call, half('ticket')) ?? {};
    const { title = '', text = '' } = written;
    if (!title.trim()) return; // the second half of a double click
    const key = crypto.randomUUID();
    this.drafts.put(call, half('ticket'), null);
    this.#keep(call, `open ${key}`, { kind: 'open', key, title: clean('title', title).trim(), text: clean('text', text), number, at: Date.now() });
  }

  /** What was not sent of a tag or a ticket, because it is not meant to be yet: {tag}, {title, text}. */
  half(of) {
    return this.drafts.get(this.call, half(of))?.written ?? {};
  }

  setHalf(of, written) {
    const number = this.paper?.number ?? '';
    const some = written && Object.values(written).some((value) => value !== '');
    this.drafts.put(this.call, half(of), some ? { kind: 'half', written, number } : null);
    this.changed();
  }

  /** What was half written as a tag is one. */
  addTag() {
    const { tag } = this.half('tag');
    if (!tag || !this.paper) return;
    this.setHalf('tag', null);
    this.tag(tag, true);
  }

  #keep(call, name, entry, wait = 0) {
    this.#wrote ||= call === this.call;
    const number = entry.number ?? this.paper.number;
    this.drafts.put(call, name, { ...entry, number });
    this.#sending.soon(call, name, wait);
    this.changed();
  }

  #hurry(call, name) {
    if (this.drafts.get(call, name)) this.#sending.soon(call, name, 0);
  }

  /** The switch does not take an entry that had this `value`, for this status. What was typed stays; a tag goes. */
  refuse(call, name, value, status) {
    const entry = this.drafts.get(call, name);
    if (!entry) return; // nobody wants it any more
    const paper = this.papers.get(call);
    const refused = whyNot(paper, entry, status);
    if (entry.value !== value) this.drafts.put(call, name, { ...entry, sent: undefined }); // typed on: that is another one
    else if (entry.kind !== 'tag') this.drafts.put(call, name, { ...entry, refused });
    else {
      this.drafts.put(call, name, null);
      this.#bench.journal.warn(`paper.refused.${refused}`, paper?.limits);
    }
  }
}
