// What this page tells a person in words: a log of what happened here today, notices that come and go, and sentences
// for a screen reader. Entries keep keys, not words, so that changing the language changes them too.

import { failedCall, reasonKey } from './desk.js';
import { hasText, t, telephone } from './i18n.js';

const KEEP = 200;
const SHOWN_MS = { info: 6000, error: 12000 };

/** The words of a reason of the protocol, without its detail after a colon; what no dictionary knows is shown as it came. */
export function reasonText(reason) {
  const told = String(reason ?? '');
  const key = `reason.${reasonKey(told.split(':')[0])}`;
  return hasText(key) ? t(key) : told;
}

/** Why a call of ours came to nothing, with what SIP said. */
export function failureText({ why, status }) {
  const words = hasText(`failed.${why}`) ? t(`failed.${why}`) : t('failed.call_failed');
  return status ? t('failed.with_status', { words, status }) : words;
}

/** Why one who was asked into a call is not in it, as a sentence. */
export function overText({ why, status, name, agent, number }) {
  const who = name || agent || telephone(number);
  return hasText(`second.${why}`) ? t(`second.${why}`, { who }) : t('second.failed', { who, words: failureText({ why, status }) });
}

/** What an offer is about, in a few words. */
export const offerTitle = ({ purpose = 'queue', by_name: name, by }) => t(`offer.title.${purpose}`, { agent: name || by });

/** What became of an offer or call, as one sentence. */
export function outcomeText(outcome) {
  if (!outcome) return '';
  if (outcome.kind === 'withdrawn') {
    const key = `withdrawn.${reasonKey(outcome.reason)}`;
    return hasText(key) ? t(key) : t('withdrawn.other', { reason: reasonText(outcome.reason) });
  }
  if (outcome.kind === 'failed') return failureText(outcome);
  const cause = `ended.${reasonKey(outcome.cause)}`; // of the call's end for this agent alone
  if (outcome.by === 'agent' && hasText(cause)) return t(cause);
  return hasText(`ended.${outcome.by}`) ? t(`ended.${outcome.by}`, { cause: reasonText(outcome.cause) }) : outcome.cause;
}

/** What was last, as one sentence: a call out that failed is later than the end of the call whose paperwork it came in. */
export const latestText = (outcome) => (failedCall(outcome) ? failureText(failedCall(outcome)) : outcomeText(outcome));

/** The key and the values of what a refusal says. */
export const refusalWords = ({ code, text }) => [hasText(`refusal.${code}`) ? `refusal.${code}` : 'refusal.other', { text: text || code }];

export class Journal extends EventTarget {
  entries = []; // newest first: {at, kind, text(), and of a call: call, number, queue, length}
  notices = []; // {id, level, key, values}
  spoken = null; // the last sentence for a screen reader: {text(), n}
  #ids = 0;

  #add(kind, text, more = {}) {
    this.entries = [{ id: ++this.#ids, at: Date.now() / 1000, kind, text, ...more }, ...this.entries].slice(0, KEEP);
    this.dispatchEvent(new Event('change'));
  }

  /** A call has one line, which tells where it stands; offered again, it has another, and what was missed stays told. */
  #call(kind, { call, number, queue_name: queue }, text, more = {}) {
    const line = this.entries.find((one) => one.call === call);
    if (!line || (kind === 'ringing' && line.kind !== 'ringing')) this.#add(kind, text, { call, number, queue, ...more });
    else this.entries = this.entries.map((one) => (one === line ? { ...line, kind, text, ...more } : one));
    this.dispatchEvent(new Event('change'));
  }

  note(key, values = {}) {
    this.#add('link', () => t(key, values));
  }

  /** Ringing, talking and the paperwork show by their calls, and so does coming back from them. */
  state(state, reason, before) {
    const told = state === 'idle' ? before === 'signed_out' || before === 'break' : state === 'break' || state === 'signed_out';
    if (!told) return;
    const why = reasonKey(reason);
    const more = state === 'break' && why !== 'chosen' && hasText(`reason.${why}`);
    this.#add(state, () =>
      more
        ? t('log.state.reason', { state: t(`state.${state}`), reason: reasonText(reason) })
        : t('log.state', { state: t(`state.${state}`) }),
    );
  }

  offered(offer) {
    this.#call('ringing', offer, () => offerTitle(offer));
  }

  withdrawn(offer, reason) {
    if (!offer) return;
    this.#call('missed', offer, () => t('log.withdrawn', { reason: reasonText(reason) }));
    this.speak(() => outcomeText({ kind: 'withdrawn', reason }));
  }

  /** A call of ours is on its way, or rings there. */
  dialling(dial, before) {
    this.#call('ringing', dial, () => t(dial.rings ? 'log.dial_rings' : 'log.dialling'));
    if (dial.rings && !before?.rings) this.say('dial.rings');
  }

  failed(dial, { why, status }) {
    this.#call('missed', dial, () => failureText({ why, status }));
    this.speak(() => failureText({ why, status }));
  }

  connected(call) {
    this.#call('talking', call, () => t('log.connected'));
    this.say('call.connected', { number: telephone(call.number) });
  }

  ended(call, outcome) {
    if (!call) return;
    this.#call('ended', call, () => outcomeText(outcome), { length: outcome?.length });
    this.speak(() => outcomeText(outcome));
  }

  /** What is new of the parties of a call: a line of each, and all of it in one breath. */
  parties(news) {
    const texts = news.map(({ key, who: { name, number } }) => () => t(key, { who: name || telephone(number) }));
    for (const text of texts) this.#add('link', text);
    if (texts.length) this.speak(() => texts.map((text) => text()).join(' '));
  }

  secondOver(event) {
    this.#add('link', () => overText(event));
    this.speak(() => overText(event));
  }

  away() {
    this.note('log.away');
    this.say('call.away.said');
  }

  back() {
    this.note('log.back');
    this.say('call.back.said');
  }

  /** What does not get through in the call now, and what did not before; `well` where all does, of whoever is on hold too. */
  sound(names, before, well) {
    const news = names.filter((name) => !before.includes(name));
    for (const name of news) this.note(`sound.${name}`);
    if (news.length) this.speak(() => news.map((name) => `${t(`sound.${name}`)} ${t(`sound.${name}.text`)}`).join(' '));
    else if (well && before.length) {
      this.say('sound.back');
      this.note('sound.back');
    }
  }

  // --- notices --------------------------------------------------------------------------------------------------

  refused(refusal) {
    this.warn(...refusalWords(refusal));
  }

  microphone(name) {
    const key = hasText(`mic.${name}`) ? `mic.${name}` : 'mic.other';
    this.warn(key, { name });
  }

  warn(key, values = {}, level = 'error') {
    const id = ++this.#ids;
    this.notices = [...this.notices.filter((one) => one.key !== key), { id, level, key, values }];
    setTimeout(() => this.dismiss(id), SHOWN_MS[level]);
    this.dispatchEvent(new Event('change'));
  }

  dismiss(id) {
    this.notices = this.notices.filter((one) => one.id !== id);
    this.dispatchEvent(new Event('change'));
  }

  // --- a screen reader ------------------------------------------------------------------------------------------

  say(key, values = {}) {
    this.speak(() => t(key, values));
  }

  speak(text) {
    this.spoken = { text, n: ++this.#ids };
    this.dispatchEvent(new Event('change'));
  }
}
