// Whom to ask into the call, or to hand it to: a colleague, or a queue.
//
// Colleagues are live, and stay where they stand while the list is looked at: who is no longer free keeps the place and
// cannot be chosen, who becomes free comes at the end; another search sorts anew. The dialog closes when the switch has
// accepted, and not before a double click is over, so that its second half meets nothing.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { language, t } from '../i18n.js';
import { refusalWords } from '../journal.js';
import { icon } from '../kit.js';
import { may } from '../parties.js';
import { reachable } from '../roster.js';
import { STATE_ICONS } from './parts.js';
import { SETTLE_MS } from './steady.js';
import { tabList } from './tab-list.js';
import { View } from './view.js';

const TABS = { colleagues: 'users', queues: 'hourglass' };
const MOST = 100; // lines at once; a search finds the others
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

class Chooser extends View {
  #act = '';
  #tab = 'colleagues';
  #search = '';
  #order = []; // the agents of the list as it is looked at
  #known = new Map(); // agent -> how it stands, and whether it is `gone`
  #problem = null; // why the last choice was refused
  #closing = 0;
  #toFocus = false;
  #again = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    bench.roster.addEventListener('change', this.#again);
  }

  disconnectedCallback() {
    clearTimeout(this.#closing);
    bench.roster.removeEventListener('change', this.#again);
    super.disconnectedCallback();
  }

  willUpdate() {
    const { choosing } = bench.talk;
    if (choosing && !(bench.desk && may[choosing](bench.desk))) this.#closeSoon();
    if (choosing === this.#act) {
      if (choosing) this.#follow();
      return;
    }
    this.#act = choosing;
    if (choosing) this.#begin();
  }

  #begin() {
    bench.roster.watch();
    this.#tab = 'colleagues';
    this.#search = '';
    this.#problem = null;
    this.#toFocus = true;
    this.#sort();
  }

  /** The field of a panel has the focus as soon as there is one: the list may come after the dialog. */
  updated() {
    const field = this.#toFocus && this.querySelector('[autofocus]');
    if (!field) return;
    this.#toFocus = false;
    field.focus();
  }

  // --- the list -------------------------------------------------------------------------------------------------

  #free() {
    const names = new Intl.Collator(language());
    const sought = this.#search.trim().toLocaleLowerCase();
    const found = reachable(bench.roster.agents, bench.me?.agent, names.compare);
    return sought ? found.filter(({ agent, name }) => `${name} ${agent}`.toLocaleLowerCase().includes(sought)) : found;
  }

  #sort() {
    const free = this.#free();
    this.#order = free.map(({ agent }) => agent);
    this.#known = new Map(free.map((one) => [one.agent, one]));
  }

  /** What has changed meanwhile, without moving anybody. */
  #follow() {
    const free = new Map(this.#free().map((one) => [one.agent, one]));
    for (const agent of free.keys()) if (!this.#known.has(agent)) this.#order = [...this.#order, agent];
    for (const agent of this.#order) {
      const now = bench.roster.agents.get(agent) ?? { ...this.#known.get(agent), state: 'signed_out' };
      this.#known.set(agent, { ...now, gone: !free.has(agent) });
    }
  }

  // --- choosing -------------------------------------------------------------------------------------------------

  async #choose(target) {
    if (this.#closing || !bench.live) return;
    const act = this.#act;
    this.#problem = null;
    const clicked = performance.now();
    const reply = await bench.talk.reach(act, target, (refusal) => (this.#problem = refusalWords(refusal)));
    if (reply && bench.talk.choosing === act) this.#closeSoon(clicked);
    this.requestUpdate();
  }

  #closeSoon(clicked = performance.now()) {
    if (this.#closing) return;
    this.#closing = setTimeout(() => {
      this.#closing = 0;
      bench.talk.choose('');
    }, Math.max(0, clicked + SETTLE_MS - performance.now()));
  }

  get #busy() {
    return this.#closing !== 0 || !bench.live || bench.pending.has(`call.${this.#act}`);
  }

  /** Arrows go from the search down the list and back; a letter anywhere goes on with the search. */
  #typed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const search = this.querySelector('#choose-search');
    const stops = [search, ...this.querySelectorAll('.choice .button:enabled')];
    const at = stops.indexOf(document.activeElement);
    if (STEPS[event.key]) {
      event.preventDefault();
      stops[Math.min(stops.length - 1, Math.max(0, at + STEPS[event.key]))].focus();
    } else if (event.key === 'Enter' && at === 0) {
      event.preventDefault();
      if (stops.length === 2) stops[1].click();
      else stops[1]?.focus();
    } else if (event.key.length === 1 && event.key !== ' ' && at > 0) search.focus();
  }

  // --- drawing --------------------------------------------------------------------------------------------------

  render() {
    const act = this.#act;
    const tabs = Object.entries(TABS).filter(([tab]) => tab !== 'queues' || act === 'transfer');
    return html`<wa-dialog
      class="chooser"
      label=${act ? t(`choose.${act}`) : ''}
      light-dismiss
      ?open=${act !== ''}
      @wa-after-hide=${(event) => event.target === event.currentTarget && bench.talk.choosing && bench.talk.choose('')}
    >
      ${act
        ? html`${tabList({
              label: t('choose.whom'),
              prefix: 'choose-',
              tabs: Object.fromEntries(tabs.map(([tab, symbol]) => [tab, { symbol, text: t(`choose.${tab}`) }])),
              chosen: this.#tab,
              choose: (tab) => this.#show(tab),
            })}
            ${this.#problem ? html`<p class="failed" role="alert">${icon('triangle-alert')}<span>${t(...this.#problem)}</span></p>` : nothing}
            <div class="chooser-panel" role="tabpanel" id="choose-panel-${this.#tab}" aria-labelledby="choose-tab-${this.#tab}">
              ${this.#panel()}
            </div>`
        : nothing}
    </wa-dialog>`;
  }

  async #show(tab) {
    this.#tab = tab;
    this.#problem = null;
    this.#toFocus = true;
    this.requestUpdate();
    await this.updateComplete;
  }

  #panel() {
    return this.#tab === 'queues' ? this.#allQueues() : this.#colleagues();
  }

  #colleagues() {
    if (!bench.roster.known) return html`<p class="empty" role="status">${t('colleagues.loading')}</p>`;
    const shown = this.#order.slice(0, MOST).map((agent) => this.#known.get(agent));
    return html`<div class="choice" @keydown=${this.#typed}>
      <label class="search" for="choose-search">${icon('search')}<span class="unseen">${t('choose.search')}</span>
        <input
          id="choose-search"
          type="search"
          autocomplete="off"
          spellcheck="false"
          autofocus
          placeholder=${t('choose.search')}
          .value=${this.#search}
          @input=${({ target }) => {
            this.#search = target.value;
            this.#sort();
            this.requestUpdate();
          }}
        />
      </label>
      <ul class="people" aria-label=${t('colleagues.title')}>
        ${repeat(shown, ({ agent }) => agent, this.#person)}
      </ul>
      ${shown.length ? nothing : html`<p class="empty" role="status">${t(this.#search ? 'choose.nobody.found' : 'choose.nobody')}</p>`}
      ${this.#order.length > MOST ? html`<p class="fine">${t('choose.more', { n: this.#order.length - MOST })}</p>` : nothing}
    </div>`;
  }

  #person = ({ agent, name, state, since, gone }) => html`<li data-state=${state} ?data-gone=${gone}>
    <span class="disc small">${icon(STATE_ICONS[state])}</span>
    <span class="person" id="choose-${agent}">${name}</span>
    <span class="stands">${t(`state.${state}`)} <cb-clock class="time" .since=${since}></cb-clock></span>
    ${this.#button({ agent }, `choose-${agent}`, gone)}
  </li>`;

  #button(target, of, gone = false) {
    return html`<button type="button" class="button primary small" aria-describedby=${of} ?disabled=${gone || this.#busy} @click=${() => this.#choose(target)}>
      <span>${t(`choose.do.${this.#act}`)}</span>
    </button>`;
  }

  #allQueues() {
    const { transferQueues } = bench.desk;
    if (!transferQueues.length) return html`<p class="empty">${t('choose.queues.none')}</p>`;
    const mine = new Map(bench.desk.queues.map((one) => [one.queue, one]));
    return html`<ul class="people" aria-label=${t('choose.queues')}>
      ${transferQueues.map(({ queue, name }) => {
        const stands = mine.get(queue);
        return html`<li>
          <span class="disc small">${icon('hourglass')}</span>
          <span class="person" id="choose-queue-${queue}">${name}</span>
          <span class="stands">${stands ? t('choose.queue.stands', { waiting: stands.waiting, idle: stands.agents_idle }) : nothing}</span>
          ${this.#button({ queue }, `choose-queue-${queue}`)}
        </li>`;
      })}
    </ul>`;
  }
}

customElements.define('cb-chooser', Chooser);
