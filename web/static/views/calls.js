// The calls of the last days: filters, the list by days, and in its place the details of the one that was opened. Those of
// another call than the one that came stand there only where they were opened since it began to ring.

import { html, noChange, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { DAYS, listCalls } from '../api.js';
import { bench } from '../bench.js';
import { CallList } from '../call-list.js';
import { dayKey, dayName, language, length, minute, otherZone, t, telephone } from '../i18n.js';
import { icon } from '../kit.js';
import { look, unseen } from '../voicemail.js';
import { CLASS_ICONS, choices, failed, kindOf, nameOf } from './parts.js';
import { View } from './view.js';
import './details.js';

const VOICEMAIL = 'voicemail';
const KINDS = ['all', 'normal', 'not_connected', 'ring_abandoned', VOICEMAIL];
const WHOSE = ['mine', 'everyone'];
const WHOSE_KEY = 'cordboard.whose';
// A call that nobody was offered shows by no event: who oversees all calls asks now and then.
const OVERSEER_MS = 30000;
const COLLEAGUES_MS = 3000; // in a large centre somebody's state changes all the time
const ENDS = new Set(['call.ended', 'call.withdrawn', 'call.failed']);
const HINTS = new Set(['call.connected', ...ENDS]);
// What there is to say of a recording in the list; of others there is nothing to hear.
const SOUNDS = { ready: ['volume-2', 'calls.recorded'], encoding: ['hourglass', 'calls.preparing'] };

class Calls extends View {
  static properties = { shown: { type: Boolean } };

  #list = new CallList(listCalls);
  #drawn = []; // what the lines were drawn from
  #open = ''; // the call whose details are shown
  #opener = '';
  #current = ''; // the call that rings here or is talked in
  #whose = 'mine';
  #timer = 0;
  #again = () => this.requestUpdate();
  #seen = () => this.#look();
  #heard = ({ detail }) => {
    if (HINTS.has(detail.event)) this.#list.hint(ENDS.has(detail.event) ? detail.call : '');
    if (detail.event === 'queue.status' && this.#messages && this.#unseen) this.#list.hint();
    if (detail.event === 'queue.status') this.requestUpdate();
  };
  #linked = () => this.#list.hint();
  #moved = ({ detail }) => this.#everyone && !detail.begins && this.#list.hint('', COLLEAGUES_MS);

  connectedCallback() {
    super.connectedCallback();
    this.#list.addEventListener('change', this.#again);
    bench.connection.addEventListener('event', this.#heard);
    bench.connection.addEventListener('open', this.#linked);
    bench.roster.addEventListener('change', this.#moved);
    document.addEventListener('visibilitychange', this.#seen);
    this.#choose(this.#oversees && localStorage.getItem(WHOSE_KEY) !== 'mine' ? 'everyone' : 'mine');
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
    this.#list.look(false);
    bench.connection.removeEventListener('event', this.#heard);
    bench.connection.removeEventListener('open', this.#linked);
    bench.roster.removeEventListener('change', this.#moved);
    document.removeEventListener('visibilitychange', this.#seen);
    super.disconnectedCallback();
  }

  /** A call that comes closes what was looked at before it; one that is dialled was looked for. */
  willUpdate() {
    const { offered, connected } = bench.desk ?? {};
    const call = offered?.call ?? (connected?.direction === 'outbound' ? '' : connected?.call) ?? '';
    if (call && call !== this.#current) this.#open = '';
    this.#current = call;
  }

  updated(changed) {
    if (changed.has('shown')) this.#look();
    if (this.#looked && this.#messages && this.#list.calls) look(bench.desk?.queues ?? [], bench.me?.agent);
  }

  #look() {
    this.#list.look(this.#looked);
    this.requestUpdate();
  }

  get #looked() {
    return this.shown && !document.hidden;
  }

  get #messages() {
    return this.#list.kind === VOICEMAIL;
  }

  get #unseen() {
    return unseen(bench.desk?.queues ?? [], bench.me?.agent);
  }

  get #oversees() {
    return ['supervisor', 'administrator'].includes(bench.me?.role);
  }

  get #everyone() {
    return this.#whose === 'everyone';
  }

  /** Whose calls; without a name the switch gives those that this login may see, which is all for who oversees. */
  #choose(whose) {
    this.#whose = whose;
    clearInterval(this.#timer);
    if (this.#everyone) {
      bench.roster.watch(); // tells when others' calls end
      this.#timer = setInterval(() => this.#list.hint(), OVERSEER_MS);
    }
    this.#list.show(this.#list.kind, this.#query(this.#list.kind));
    this.requestUpdate();
  }

  /** Messages are for all of a queue's agents. */
  #query(kind) {
    return this.#everyone || kind === VOICEMAIL ? {} : { agent: bench.me?.agent };
  }

  async #show(call) {
    this.#opener = call || this.#opener;
    this.#open = call;
    this.requestUpdate();
    await this.updateComplete;
    // where a keyboard goes on: at the details, and afterwards at the line they were opened from
    if (!call) this.querySelector(`[data-call="${CSS.escape(this.#opener)}"]`)?.focus();
  }

  render() {
    return html`
      <div class="calls" ?hidden=${this.#open !== ''}>${this.#bar()} ${this.#lines()}</div>
      ${this.#open
        ? html`<cb-call-details
            .call=${this.#open}
            .agent=${this.#everyone ? '' : bench.me?.agent}
            ?shown=${this.shown}
            @close=${() => this.#show('')}
            @show=${({ detail }) => this.#show(detail)}
            @handled=${() => this.#list.hint()}
          ></cb-call-details>`
        : nothing}
    `;
  }

  #bar() {
    const zone = otherZone();
    return html`<div class="filters">
      ${choices(
        'calls.filter',
        KINDS,
        this.#list.kind,
        (kind) => `calls.${kind}`,
        (kind) => this.#list.show(kind, this.#query(kind)),
        (kind) => (kind === VOICEMAIL && !this.#messages && this.#unseen ? 'voicemail.unseen' : ''),
      )}
      ${this.#oversees && !this.#messages
        ? choices('calls.whose', WHOSE, this.#whose, (whose) => `calls.${whose}`, (whose) => {
            localStorage.setItem(WHOSE_KEY, whose);
            this.#choose(whose);
          })
        : nothing}
      ${zone ? html`<span class="fine">${t('day.zone', { zone })}</span>` : nothing}
    </div>`;
  }

  /** Hundreds of lines, drawn when they are others than before and not whenever anything on the page is. */
  #lines() {
    const { calls, error, next, loadingMore, kind } = this.#list;
    const shown = [calls, error, next, loadingMore, kind, this.#whose, language(), otherZone(), dayKey(bench.now())];
    if (shown.every((one, n) => one === this.#drawn[n])) return noChange;
    this.#drawn = shown;
    const again = () => this.#list.refresh();
    if (!calls) return error ? failed(error, t('calls.error'), again) : html`<p class="empty" role="status">${t('calls.loading')}</p>`;
    return html`
      ${error ? failed(error, `${t('calls.error')} ${t('calls.error.stale')}`, again) : nothing}
      ${calls.length
        ? html`<div class="scroll" tabindex="0">
            <table class="lines" aria-label=${t('calls.title')} data-whose=${this.#whose}>
              <thead>
                <tr>
                  <th scope="col">${t('calls.time')}</th>
                  <th scope="col">${t('calls.number')}</th>
                  <th scope="col" class="spare">${t('calls.queue')}</th>
                  <th scope="col">${t(this.#messages ? 'voicemail.state' : 'calls.class')}</th>
                  ${this.#agents ? html`<th scope="col">${t('calls.agents')}</th>` : nothing}
                  <th scope="col" class="end">${t(this.#messages ? 'voicemail.length' : 'calls.length')}</th>
                  <th scope="col"><span class="unseen">${t('calls.recording')}</span></th>
                </tr>
              </thead>
              ${repeat(byDay(calls), ({ key }) => key, this.#day)}
            </table>
            ${next
              ? html`<button type="button" class="button small more" ?disabled=${loadingMore} @click=${() => this.#list.more()}>
                  ${t(loadingMore ? 'calls.loading' : 'calls.more')}
                </button>`
              : nothing}
          </div>`
        : html`<p class="empty">${t(`calls.none.${{ all: 'all', [VOICEMAIL]: VOICEMAIL }[this.#list.kind] ?? 'filtered'}`, { days: DAYS })}</p>`}
    `;
  }

  #day = ({ key, calls }) => html`<tbody>
    <tr class="day">
      <th scope="rowgroup" colspan=${this.#agents ? 7 : 6}>${dayName(calls[0].began, bench.now())}</th>
    </tr>
    ${repeat(calls, ({ call }) => call, this.#line)}
  </tbody>`;

  /** Who answered is a column of its own where that may be others. */
  get #agents() {
    return this.#everyone && !this.#messages;
  }

  #line = (call) => html`<tr data-class=${kindOf(call)} @click=${() => this.#show(call.call)}>
    <td class="time">${minute(call.began)}</td>
    <th scope="row">
      <button type="button" class="opener number" data-call=${call.call}>${telephone(call.number)}</button>
      ${nameOf(call) ? html`<span class="fine">${call.name}</span>` : nothing}
    </th>
    <td class="spare">${this.#messages ? call.message.queue_name : call.direction === 'outbound' ? html`<span class="out">${t('calls.outbound')}</span>` : call.queue_name}</td>
    <td>${this.#messages ? handled(call.message) : html`<span class="class">${icon(CLASS_ICONS[kindOf(call)])}${t(`calls.${kindOf(call)}`)}</span>`}</td>
    ${this.#agents ? html`<td>${call.agents.map(({ name }) => name).join(', ')}</td>` : nothing}
    <td class="time end">
      ${this.#messages
        ? length(call.message.ended - call.message.began)
        : call.ended === null
        ? html`<span class="live">${t('calls.in_progress')}</span>`
        : call.class === 'normal'
          ? length(call.talk_seconds)
          : nothing}
    </td>
    <td class="sound">
      ${Object.hasOwn(SOUNDS, call.recording) ? sound(...SOUNDS[call.recording]) : nothing}
    </td>
  </tr>`;
}

const sound = (symbol, words) => html`<span role="img" aria-label=${t(words)} title=${t(words)}>${icon(symbol)}</span>`;

/** Whether somebody has seen to a message, and who. */
const handled = ({ handled_by: by }) => html`<span class="what" ?data-open=${!by}>
  ${icon(by ? 'circle-check' : 'voicemail')}${by ? t('voicemail.by', { agent: by.name }) : t('voicemail.new')}
</span>`;

/** Calls, newest first, in groups of one day each. */
function byDay(calls) {
  const days = [];
  for (const call of calls) {
    const key = dayKey(call.began);
    if (days.at(-1)?.key !== key) days.push({ key, calls: [] });
    days.at(-1).calls.push(call);
  }
  return days;
}

customElements.define('cb-calls', Calls);
