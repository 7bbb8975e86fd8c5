// Beside the phone: how the agent's queues stand, and what happened on this page today.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { clock, length, t, telephone } from '../i18n.js';
import { icon } from '../kit.js';
import { View } from './view.js';

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
    return html`<section class="panel log" aria-labelledby="log-title">
      <h2 id="log-title">${t('log.title')}</h2>
      ${entries.length
        ? html`<div class="scroll" tabindex="0">
            <table aria-labelledby="log-title">
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
    </section>`;
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

customElements.define('cb-queues', Queues);
customElements.define('cb-log', Log);
