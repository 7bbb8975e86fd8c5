// One call, whole: who, when, what became of it, its course, its recording, and the earlier calls of the same number.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { handleMessage, wholeCall } from '../api.js';
import { bench } from '../bench.js';
import { course, heldSeconds, heldSpans, waited } from '../course.js';
import { clock, dayName, hasText, length, minute, t, telephone } from '../i18n.js';
import { reasonKey } from '../desk.js';
import { failureText, reasonText } from '../journal.js';
import { icon } from '../kit.js';
import { CLASS_ICONS, button, diverted, failed, kindOf, nameOf } from './parts.js';
import { View } from './view.js';
import './past-paper.js';
import './player.js';
import './timeline.js';
import './why.js';

// How long until to ask again while the recording is made, in milliseconds; the last goes on.
const ENCODING_MS = [1500, 2000, 4000, 8000, 15000];
const IN_CALL_MS = 10000;
const SETTLE_MS = 400; // a call is written some 100 ms after its end
const OVER_MS = 1000; // where it was not even then

/** Whether a queue has let it ring somewhere. */
const queued = ({ direction, offers }) => offers.some(({ purpose = 'queue' }) => purpose === 'queue') && direction === 'inbound';

/** Who ended it and why, as a sentence; `me` is the agent who reads it. */
export function overText(call, me) {
  if (call.ended === null) return t('course.now');
  if (call.message) return t('over.message');
  if (call.ended_by === 'callee') return t('over.callee');
  const failed = call.direction === 'outbound' && call.answered === null && /^(.*?)(?: \(SIP (\d+)\))?$/.exec(call.cause);
  if (failed) return failureText({ why: reasonKey(failed[1]), status: failed[2] });
  if (call.ended_by === 'caller') return t(call.answered === null ? 'over.caller.waiting' : 'over.caller');
  if (call.ended_by !== 'agent') return hasText(`over.${reasonKey(call.cause)}`) ? t(`over.${reasonKey(call.cause)}`) : t('over.system', { cause: reasonText(call.cause) });
  const last = call.legs.filter(({ party }) => party !== 'caller' && party !== 'outside').at(-1);
  return sentence('over.agent', { agent: last && { agent: last.party, name: last.name || last.party } }, call, me);
}

/** The words of a step; English sentences begin with a capital where an agent's name or "you" comes first, and some are others of
    "you" than of a name. */
function sentence(key, { agent, seconds = 0, rating = '', to = '', number = false, why = '' }, call, me) {
  const mine = agent?.agent === me;
  const name = agent ? (mine ? t('course.you') : agent.number ? telephone(agent.name) : agent.name) : '';
  const text = t(mine && hasText(`${key}.you`) ? `${key}.you` : key, { agent: name, dialled: telephone(call.dialled), queue: call.queue_name, time: length(seconds), rating, to: number ? telephone(to) : to, words: why ? failureText({ why }) : '' });
  return text.charAt(0).toUpperCase() + text.slice(1);
}

class Details extends View {
  static properties = { call: {}, agent: {}, shown: { type: Boolean } };

  #found = null;
  #error = null;
  #tries = 0;
  #timer = 0;
  #marking = false;
  #over = false; // as this page heard
  #heard = ({ detail }) => {
    if (detail.event !== 'call.ended' || detail.call !== this.call) return;
    this.#over = true;
    this.#soon(SETTLE_MS);
  };

  connectedCallback() {
    super.connectedCallback();
    bench.connection.addEventListener('event', this.#heard);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    bench.connection.removeEventListener('event', this.#heard);
    super.disconnectedCallback();
  }

  willUpdate(changed) {
    if (!changed.has('call')) return;
    this.#found = this.#error = null;
    this.#tries = 0;
    this.#over = false;
    this.#load();
  }

  updated(changed) {
    if (changed.has('call')) this.querySelector('.back').focus({ preventScroll: true });
  }

  async #load() {
    clearTimeout(this.#timer);
    const { call } = this;
    try {
      const found = await wholeCall(call, this.agent);
      if (call !== this.call) return;
      this.#found = found;
      this.#error = null;
    } catch (error) {
      if (call !== this.call) return;
      this.#error = error;
    }
    this.requestUpdate();
    if (this.isConnected) this.#follow();
  }

  /** While the call lasts or its recording is made, it is asked for again. */
  #follow() {
    if (this.#error) return;
    const { ended, sound } = this.#found;
    if (ended === null) this.#soon(this.#over ? OVER_MS : IN_CALL_MS);
    else if (sound.state === 'encoding') this.#soon(ENCODING_MS[Math.min(this.#tries++, ENCODING_MS.length - 1)]);
  }

  /** Asks after `wait` ms, or later, when somebody looks. */
  #soon(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.shown && !document.hidden ? this.#load() : this.#soon(wait)), wait);
  }

  #say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  render() {
    const call = this.#found;
    return html`
      <div class="details-bar">
        <button type="button" class="button quiet back" @click=${() => this.#say('close')}>
          ${icon('chevron-left')}<span>${t('call.back')}</span>
        </button>
      </div>
      <article class="scroll details" aria-label=${t('call.details')} tabindex="0">
        ${call ? this.#call(call) : this.#error ? this.#failed() : html`<p class="empty" role="status">${t('call.loading')}</p>`}
      </article>
    `;
  }

  #failed() {
    const words = { 403: 'call.not_allowed', 404: 'call.not_found' }[this.#error.status];
    return words ? html`<p class="empty" role="alert">${t(words)}</p>` : failed(this.#error, t('call.error'), () => this.#load());
  }

  #call(call) {
    const me = bench.me?.agent;
    const day = dayName(call.began, bench.now());
    const wait = waited(call);
    const held = heldSeconds(call, bench.now());
    const kind = kindOf(call);
    const alone = call.message !== null && call.answered === null; // nobody but the caller is in the sound
    return html`
      <header class="details-head">
        <h2 class="number">${telephone(call.number)}</h2>
        <span>${nameOf(call)}</span>
        ${kind ? html`<span class="class badge" data-class=${kind}>${icon(CLASS_ICONS[kind])}${t(`calls.${kind}`)}</span>` : nothing}
      </header>
      ${this.#error ? this.#failed() : nothing}
      <dl class="facts">
        <div><dt>${t('call.began')}</dt><dd>${day} ${clock(call.began)}</dd></div>
        ${call.ended === null ? nothing : html`<div><dt>${t('call.ended')}</dt><dd>${clock(call.ended)}</dd></div>`}
        ${wait === null ? nothing : html`<div><dt>${t('call.waited')}</dt><dd>${length(wait)}</dd></div>`}
        ${call.class === 'normal' ? html`<div><dt>${t('call.talked')}</dt><dd>${length(call.talk_seconds)}</dd></div>` : nothing}
        ${held ? html`<div><dt>${t('call.held')}</dt><dd>${length(held)}</dd></div>` : nothing}
        <div><dt>${t('calls.queue')}</dt><dd>${call.queue_name || '–'}</dd></div>
        <div>
          <dt>${t(call.direction === 'outbound' ? 'call.shown' : 'offer.dialled')}</dt>
          <dd class="number">${call.dialled ? telephone(call.dialled) : '–'}</dd>
        </div>
        ${diverted(call)}
      </dl>
      ${call.message ? this.#message(call.message) : nothing}
      <cb-past-paper .call=${call.call}></cb-past-paper>
      <cb-player .call=${call.call} .sound=${call.sound} .held=${heldSpans(call, call.sound.seconds)} ?alone=${alone}></cb-player>
      <cb-call-quality .whole=${call}></cb-call-quality>
      <section aria-labelledby="course-title">
        <h3 id="course-title">${t('call.course')}</h3>
        <ol class="course">
          ${course(call).map(
            (step) => html`<li data-step=${step.key}><time class="time">${clock(step.at)}</time><span>${sentence(step.key, step, call, me)}</span></li>`,
          )}
          <li data-step="over">
            <time class="time">${call.ended === null ? nothing : clock(call.ended)}</time><strong>${overText(call, me)}</strong>
          </li>
        </ol>
        ${queued(call) ? html`<cb-call-why .call=${call.call} .agent=${this.agent}></cb-call-why>` : nothing}
      </section>
      <section aria-labelledby="history-title">
        <h3 id="history-title">${t('call.history')}</h3>
        ${call.history.length
          ? html`<table class="lines" aria-labelledby="history-title">
              <tbody>
                ${call.history.map((one) => this.#earlier(one, me))}
              </tbody>
            </table>`
          : html`<p class="empty">${t('call.history.none')}</p>`}
      </section>
    `;
  }

  /** What was left for a queue, and whether somebody has seen to it. */
  #message({ queue_name: queue, began, ended, handled_by: by, handled_at: at }) {
    return html`<section class="message" aria-label=${t('calls.voicemail')}>
      ${icon(by ? 'circle-check' : 'voicemail')}
      <p>
        ${t('voicemail.left', { queue, time: length(ended - began) })}
        ${by ? html`<span class="fine">${t('voicemail.handled', { agent: by.name, time: `${dayName(at, bench.now())} ${minute(at)}` })}</span>` : nothing}
      </p>
      ${button(by ? 'voicemail.reopen' : 'voicemail.done', { kind: 'small', busy: this.#marking, act: () => this.#mark(!by) })}
    </section>`;
  }

  async #mark(handled) {
    this.#marking = true;
    this.requestUpdate();
    try {
      await handleMessage(this.call, handled);
    } catch (error) {
      this.#error = error;
    }
    this.#marking = false;
    if (!this.#error) await this.#load();
    this.requestUpdate();
    this.#say('handled');
  }

  /** One of the same customer’s; only those that this agent answered or dialled, or that who oversees sees, can be opened. */
  #earlier(one, me) {
    const may = !this.agent || one.agents.some(({ agent }) => agent === me);
    const when = `${dayName(one.began, bench.now())} ${minute(one.began)}`;
    const kind = kindOf(one);
    return html`<tr data-class=${kind} ?data-closed=${!may} @click=${() => may && this.#say('show', one.call)}>
      <th scope="row">${may ? html`<button type="button" class="opener time">${when}</button>` : html`<span class="time">${when}</span>`}</th>
      <td>${one.direction === 'outbound' ? html`<span class="out">${t('calls.outbound')}</span>` : one.queue_name}</td>
      <td>${kind ? html`<span class="class">${icon(CLASS_ICONS[kind])}${t(`calls.${kind}`)}</span>` : t('calls.in_progress')}</td>
      <td>${one.agents.map(({ name }) => name).join(', ')}</td>
      <td class="time end">${one.class === 'normal' ? length(one.talk_seconds) : nothing}</td>
    </tr>`;
  }
}

customElements.define('cb-call-details', Details);
