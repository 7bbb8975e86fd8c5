// Beside the phone: how the agent's queues stand, and below them one of several things to look at, behind tabs.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { clock, length, t, telephone } from '../i18n.js';
import { icon } from '../kit.js';
import { tabList } from './tab-list.js';
import { View } from './view.js';
import './calls.js';
import './colleagues.js';
import './customer.js';
import { PaperView } from './field.js';
import './states.js';
import './tickets.js';

class Queues extends View {
  render() {
    const queues = bench.desk?.queues;
    return html`<section class="panel queues" aria-labelledby="queues-title" ?data-stale=${bench.desk !== null && !bench.live}>
      <h2 id="queues-title">${t('queues.title')}</h2>
      ${queues?.length
        ? html`<table aria-labelledby="queues-title">
            <thead>
              <tr>
                <th scope="col"><span class="unseen">${t('queues.title')}</span></th>
                <th scope="col">${t('queues.waiting')}</th>
                <th scope="col">${t('queues.oldest')}</th>
                <th scope="col">${t('queues.idle')}</th>
              </tr>
            </thead>
            <tbody>
              ${repeat(queues, ({ queue }) => queue, this.#row)}
            </tbody>
          </table>`
        : html`<p class="empty">${t(queues ? 'queues.none' : 'queues.pending')}</p>`}
    </section>`;
  }

  #row = ({ name, waiting, oldest_since: oldest, agents_idle: idle }) => html`<tr ?data-waiting=${waiting > 0}>
    <th scope="row">${name}</th>
    <td>${waiting}</td>
    <td>${oldest === null || oldest === undefined ? '–' : html`<cb-clock class="time" .since=${oldest}></cb-clock>`}</td>
    <td>${idle}</td>
  </tr>`;
}

const ICONS = {
  link: 'info',
  signed_out: 'log-out',
  idle: 'circle-check',
  break: 'coffee',
  ringing: 'phone-incoming',
  missed: 'phone-missed',
  talking: 'phone-call',
  ended: 'phone-off',
};

class Log extends View {
  render() {
    const { entries } = bench.journal;
    return html`<div class="log">
      ${entries.length
        ? html`<div class="scroll" tabindex="0">
            <table class="lines" aria-label=${t('log.title')}>
              <thead>
                <tr>
                  <th scope="col">${t('log.time')}</th>
                  <th scope="col">${t('log.what')}</th>
                  <th scope="col">${t('log.number')}</th>
                  <th scope="col">${t('log.queue')}</th>
                  <th scope="col" class="end">${t('log.length')}</th>
                </tr>
              </thead>
              <tbody>
                ${repeat(entries, ({ id }) => id, this.#row)}
              </tbody>
            </table>
          </div>`
        : html`<p class="empty">${t('log.empty')}</p>`}
    </div>`;
  }

  #row = ({ at, kind, text, number, queue, length: lasted }) => html`<tr data-kind=${kind}>
    <td class="time">${clock(at)}</td>
    <td colspan=${number === undefined ? 4 : 1}><span class="what">${icon(ICONS[kind])}${text()}</span></td>
    ${number === undefined
      ? nothing
      : html`<td class="number">${telephone(number)}</td>
          <td>${queue}</td>
          <td class="time end">${lasted === undefined ? nothing : length(lasted)}</td>`}
  </tr>`;
}

const TABS = { customer: 'contact', tickets: 'ticket', calls: 'history', colleagues: 'users', states: 'user', log: 'info' };
const TAB_KEY = 'cordboard.tab';

const PANELS = {
  customer: () => html`<cb-customer></cb-customer>`,
  tickets: () => html`<cb-tickets></cb-tickets>`,
  colleagues: () => html`<cb-colleagues></cb-colleagues>`,
  states: () => html`<cb-states></cb-states>`,
  log: () => html`<cb-log></cb-log>`,
};

const OF_A_CALL = ['customer', 'tickets'];

/** As it was left; who oversees the centre, and has no call, begins with everyone’s calls and not with a blank paper. */
function first() {
  const left = localStorage.getItem(TAB_KEY);
  if (!Object.hasOwn(TABS, left)) return 'calls';
  const oversees = ['supervisor', 'administrator'].includes(bench.me?.role);
  return oversees && OF_A_CALL.includes(left) && !bench.paper.call ? 'calls' : left;
}

class Tabs extends PaperView {
  #tab = first();

  #pop = () => this.#choose('customer');

  connectedCallback() {
    super.connectedCallback();
    bench.paper.addEventListener('pop', this.#pop);
  }

  disconnectedCallback() {
    bench.paper.removeEventListener('pop', this.#pop);
    super.disconnectedCallback();
  }

  #choose(tab) {
    this.#tab = tab;
    localStorage.setItem(TAB_KEY, tab);
    this.requestUpdate();
    return this.updateComplete;
  }

  render() {
    return html`<section class="panel tabs" aria-label=${t('tabs.label')}>
      ${tabList({
        label: t('tabs.label'),
        prefix: '',
        tabs: Object.fromEntries(Object.entries(TABS).map(([tab, symbol]) => [tab, { symbol, text: t(`tabs.${tab}`), count: tab === 'tickets' ? bench.paper.toDo : 0 }])),
        chosen: this.#tab,
        choose: (tab) => this.#choose(tab),
      })}
      ${Object.keys(TABS).map(
        (tab) => html`<div class="tab-panel" role="tabpanel" id="panel-${tab}" aria-labelledby="tab-${tab}" ?hidden=${tab !== this.#tab}>
          ${this.#panel(tab)}
        </div>`,
      )}
    </section>`;
  }

  /** The calls stay behind the other tabs, so that a recording plays on and the list is as it was left. */
  #panel(tab) {
    if (tab === 'calls') return html`<cb-calls ?shown=${this.#tab === 'calls'}></cb-calls>`;
    if (tab !== this.#tab) return nothing;
    return PANELS[tab]();
  }
}

customElements.define('cb-tabs', Tabs);
customElements.define('cb-queues', Queues);
customElements.define('cb-log', Log);
