// Whom to ask into the call, or to hand it to: a colleague, an outside number, or a queue.
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
import { toStage } from './focus.js';
import { keys } from './keypad.js';
import { STATE_ICONS } from './parts.js';
import { SETTLE_MS } from './steady.js';
import { tabList } from './tab-list.js';
import { View } from './view.js';

const TABS = { colleagues: 'users', outside: 'phone', queues: 'hourglass' };
const MOST = 100; // lines at once; a search finds the others
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

class Chooser extends View {
  #act = '';
  #tab = 'colleagues';
  #search = '';
  #number = '';
  #order = []; // the keys of the list as it is looked at
  #known = new Map(); // key -> target
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
    this.#search = this.#number = '';
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

  #targets() {
    const names = new Intl.Collator(language());
    const sought = this.#search.trim().toLocaleLowerCase();
    const found = reachable(bench.roster.agents, bench.me?.agent, names.compare);
    return sought ? found.filter(({ of }) => of.name.toLocaleLowerCase().includes(sought) || of.agent.toLocaleLowerCase().includes(sought)) : found;
  }

  #sort() {
    const targets = this.#targets();
    this.#order = targets.map(({ key }) => key);
    this.#known = new Map(targets.map((target) => [target.key, target]));
  }

  /** What has changed meanwhile, without moving anybody. */
  #follow() {
    const targets = this.#targets();
    for (const target of targets) {
      if (!this.#known.has(target.key)) this.#order = [...this.#order, target.key];
      this.#known.set(target.key, target);
    }
    const free = new Set(targets.map(({ key }) => key));
    for (const [key, { of, mobile }] of this.#known) {
      const now = bench.roster.agents.get(of.agent);
      this.#known.set(key, { key, mobile, of: now ?? { ...of, state: 'signed_out' }, gone: !free.has(key) });
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

  /** The focus is where it was before, unless that button is gone with what it was for. */
  #hidden = ({ target, currentTarget }) => {
    if (target !== currentTarget) return;
    if (bench.talk.choosing) bench.talk.choose('');
    if (document.activeElement === document.body) toStage();
  };

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
      @wa-after-hide=${this.#hidden}
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
    if (this.#tab === 'outside') return this.#outside();
    return this.#tab === 'queues' ? this.#allQueues() : this.#colleagues();
  }

  #colleagues() {
    if (!bench.roster.known) return html`<p class="empty" role="status">${t('colleagues.loading')}</p>`;
    const shown = this.#order.slice(0, MOST).map((key) => this.#known.get(key));
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
        ${repeat(shown, ({ key }) => key, this.#person)}
      </ul>
      ${shown.length ? nothing : html`<p class="empty" role="status">${t(this.#search ? 'choose.nobody.found' : 'choose.nobody')}</p>`}
      ${this.#order.length > MOST ? html`<p class="fine">${t('choose.more', { n: this.#order.length - MOST })}</p>` : nothing}
    </div>`;
  }

  #person = ({ key, mobile, of, gone }) => html`<li data-state=${of.state} ?data-gone=${gone}>
    <span class="disc small">${icon(mobile ? 'smartphone' : STATE_ICONS[of.state])}</span>
    <span class="person" id="choose-${key}">${of.name}${mobile ? html` <span class="mobile">${t('choose.mobile')}</span>` : nothing}</span>
    <span class="stands">${t(`state.${of.state}`)} <cb-clock class="time" .since=${of.since}></cb-clock></span>
    ${this.#button({ agent: of.agent, ...(mobile ? { mobile: true } : {}) }, `choose-${key}`, gone)}
  </li>`;

  #button(target, of, gone = false) {
    return html`<button type="button" class="button primary small" aria-describedby=${of} ?disabled=${gone || this.#busy} @click=${() => this.#choose(target)}>
      <span>${t(`choose.do.${this.#act}`)}</span>
    </button>`;
  }

  #outside() {
    const number = this.#number.trim();
    const change = (text) => {
      this.#number = text;
      this.requestUpdate();
    };
    const go = (event) => {
      event.preventDefault();
      if (number && !this.#busy) this.#choose({ number });
    };
    return html`<form class="outside" @submit=${go}>
      <label for="choose-number">${t('choose.outside')}</label>
      <input
        id="choose-number"
        type="tel"
        autocomplete="off"
        spellcheck="false"
        maxlength="40"
        autofocus
        .value=${this.#number}
        @input=${({ target }) => change(target.value)}
      />
      <button type="button" class="button" aria-label=${t('choose.delete')} title=${t('choose.delete')} ?disabled=${!this.#number} @click=${() => change(this.#number.slice(0, -1))}>
        ${icon('delete')}
      </button>
      <div class="keypad" role="group" aria-label=${t('keypad.title')}>${keys((key) => change(this.#number + key), true)}</div>
      <button class="button primary large" ?disabled=${!number || this.#busy}>${icon('phone')}<span>${t(`choose.do.${this.#act}`)}</span></button>
    </form>`;
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
