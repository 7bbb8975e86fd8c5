// What an agent has typed about a call and the switch has not said it has: kept in the browser until it does.
//
// Every entry is of one agent, one call and one name: a field that was edited, a tag set or taken away, a ticket to be
// opened, or half a word that is not meant to be sent yet. They are kept where all tabs of this browser find them, and say
// which page sends them; one whose page is gone is sent by whichever finds it.

const PREFIX = 'cordboard.paper ';
const CONTROL = /(?![\n\t])\p{Cc}|\p{Cs}/gu;
const TURNS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu; // what turns the writing round
const LONG = new Set(['note', 'text', 'address']);

/** What may be sent of what was typed or pasted: no control characters, and lines, or what turns the writing round, only
    where there are several. */
export function clean(field, value) {
  const text = value.replace(/\r\n?/g, '\n').replace(CONTROL, '');
  return LONG.has(field) ? text : text.replace(TURNS, '').replace(/[\n\t]+/g, ' ');
}

const WHOLE = {
  email: (value) => value === '' || /^[^\s@]+@[^\s@]+$/.test(value),
  title: (value) => value !== '',
};

/** Whether a value is whole: half an e-mail address is kept, and not sent, and so is no title. */
export const whole = (field, value) => WHOLE[field]?.(value.trim()) ?? true;

/** Whether an entry is meant to be sent as it is. */
export const sendable = ({ kind, edit, value }) => kind !== 'half' && (kind !== 'edit' || whole(edit.field, value));

/** The name of a field's entry, and of half a word that is not sent. */
export const nameOf = ({ kind, ticket = '', field }) => ['edit', kind, ticket, field].join(' ');
export const half = (of) => `half ${of}`;

const BLANK = { value: '', version: 0, agent: '', name: '', at: 0 };

/** A field as the switch told it last in `paper`; `me` is whose service summary may be edited. */
export function newestOf(paper, { kind, ticket, field }, me) {
  if (!paper) return BLANK;
  const of = {
    customer: () => paper.customer.fields,
    summary: () => paper.summaries.find(({ agent }) => agent === me),
    ticket: () => paper.tickets.find((one) => one.ticket === ticket)?.fields,
  };
  return of[kind]()?.[field] ?? BLANK;
}

/** What becomes of an edit, now that `newest` is known: null where it is there, and on what it is based where that is our
    own text of a moment ago, whose answer was lost. Pure. */
export function reconciled(edit, newest, me) {
  if (newest.version < edit.version) return edit; // told before what is known
  if (newest.value === edit.value) return null;
  const ours = edit.sent !== undefined && newest.value === edit.sent && newest.agent === me;
  return ours ? { ...edit, version: newest.version, sent: undefined } : edit;
}

/** What becomes of an edit of which `sent` was stored: typed on, it is based on that. Pure. */
export function stored(edit, sent, newest) {
  if (edit.value === sent) return null;
  return { ...edit, version: newest.value === sent ? newest.version : edit.version + 1, sent: undefined };
}

/** Whether somebody else wrote after what the edit is based on. Pure. */
export const contradicts = (edit, newest) => newest.version > edit.version && newest.value !== edit.value;

export class Drafts extends EventTarget {
  #page = crypto.randomUUID();
  #agent = '';
  #entries = new Map(); // key of the storage -> entry

  constructor() {
    super();
    navigator.locks.request(this.#lock(this.#page), () => new Promise(() => {})); // held until this page is gone
    addEventListener('storage', ({ key, newValue }) => {
      const at = this.#parsed(key);
      if (!at) return;
      if (newValue === null) this.#entries.delete(key);
      else this.#entries.set(key, { ...JSON.parse(newValue), ...at });
      this.dispatchEvent(new Event('change'));
    });
  }

  #lock(page) {
    return `${PREFIX}${page}`;
  }

  #parsed(key) {
    if (!key?.startsWith(PREFIX)) return null;
    const [agent, call, name] = JSON.parse(key.slice(PREFIX.length));
    return agent === this.#agent ? { call, name } : null;
  }

  #key(call, name) {
    return PREFIX + JSON.stringify([this.#agent, call, name]);
  }

  /** From now on those of this agent. */
  of(agent) {
    this.#agent = agent;
    this.#entries.clear();
    for (const key of Object.keys(localStorage)) {
      const at = this.#parsed(key);
      if (at) this.#entries.set(key, { ...JSON.parse(localStorage.getItem(key)), ...at });
    }
  }

  get all() {
    return [...this.#entries.values()];
  }

  get(call, name) {
    return this.#entries.get(this.#key(call, name));
  }

  /** Those that this page sends. */
  get mine() {
    return this.all.filter(({ page }) => page === this.#page);
  }

  /** Kept, and sent by this page; nothing as `entry`: it is done with. */
  put(call, name, entry) {
    const key = this.#key(call, name);
    if (entry === null) {
      this.#entries.delete(key);
      localStorage.removeItem(key);
      return;
    }
    const made = { ...entry, page: this.#page };
    this.#entries.set(key, { ...made, call, name });
    try {
      localStorage.setItem(key, JSON.stringify(made));
    } catch (error) {
      if (error.name !== 'QuotaExceededError') throw error; // it is full: this page still has it, and sends it
    }
  }

  /** What was sent of an entry has come: it is done with, unless it was typed on. */
  came({ call, name, value, on }) {
    const now = this.get(call, name);
    if (now && now.value === value && now.on === on) this.put(call, name, null);
  }

  /** Takes over what pages left that are gone; whether there was something. */
  async adopt() {
    const agent = this.#agent;
    const others = this.all.filter(({ page }) => page !== this.#page);
    if (!others.length) return false;
    const held = new Set((await navigator.locks.query()).held.map(({ name }) => name));
    const left = others.filter(({ page }) => !held.has(this.#lock(page)));
    if (agent !== this.#agent) return false;
    for (const { call, name, ...entry } of left) this.put(call, name, entry);
    return left.length > 0;
  }
}
