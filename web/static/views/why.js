// Why a call rang where it did: each decision of a queue about it, asked for when somebody opens it. Who oversees sees how
// all stood; an agent how it stood itself, and how many others there were.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { whyOf } from '../api.js';
import { bench } from '../bench.js';
import { clock, date, length, t } from '../i18n.js';
import { icon } from '../kit.js';
import { failed } from './parts.js';
import { View } from './view.js';

/** The part of a key that a name with dashes gives. */
const keyOf = (name) => name.replaceAll('-', '_');
const me = ({ agent }) => agent === bench.me?.agent;
const names = (agents) => agents.map((each) => (me(each) ? t('course.you') : each.name)).join(t('why.and'));

/** What the strategy looked at, beside the level: [key of the heading, text of one candidate]. */
const SCORES = [
  ['calls', 'why.calls', ({ calls }) => calls],
  ['talk_seconds', 'why.talked', ({ talk_seconds }) => length(talk_seconds)],
  ['idle_seconds', 'why.idle', ({ idle_seconds }) => length(idle_seconds)],
];

class Why extends View {
  static properties = { call: {}, agent: {} };

  #found = null;
  #error = null;

  willUpdate(changed) {
    if (changed.has('call')) this.#found = this.#error = null;
  }

  async #load() {
    const { call } = this;
    try {
      const found = await whyOf(call, this.agent);
      if (call !== this.call) return;
      this.#found = found;
      this.#error = null;
    } catch (error) {
      if (call !== this.call) return;
      this.#error = error;
    }
    this.requestUpdate();
  }

  render() {
    return html`<details class="why" @toggle=${({ target }) => target.open && this.#load()}>
      <summary><h3>${t('why.title')}</h3></summary>
      ${this.#error ? failed(this.#error, t('why.error'), () => this.#load()) : nothing}
      ${this.#found ? this.#decisions(this.#found) : this.#error ? nothing : html`<p class="empty" role="status">${t('call.loading')}</p>`}
    </details>`;
  }

  #decisions({ decisions, kept_since: since }) {
    const gone = since === null ? '' : t('why.gone', { time: date(since) });
    if (!decisions.length) return html`<p class="empty">${gone || t('why.none')}</p>`;
    return html`${gone ? html`<p class="fine">${gone}</p>` : nothing}
      <ol class="decisions">
        ${decisions.map((one) => html`<li><time class="time">${clock(one.at)}</time>${this.#decision(one)}</li>`)}
      </ol>`;
  }

  #decision(one) {
    const { chosen, candidates, ranked, passed, told, same } = one;
    const [only, first] = me(chosen[0]) ? ['why.only.you', 'why.first.you'] : ['why.only', 'why.first'];
    const key = chosen.length > 1 ? 'why.all' : candidates === 1 ? only : first;
    const when = t(one.waited < 1 ? 'why.at_once' : 'why.after', { queue: one.queue_name, time: length(one.waited) });
    return html`<div class="decision">
      <p>${t(key, { when, agent: names(chosen), count: candidates, strategy: t(`strategy.${keyOf(one.strategy)}`) })}</p>
      ${same ? nothing : html`<p class="failed">${icon('triangle-alert')}<span>${t('why.changed')}</span></p>`}
      ${told && !chosen.some(({ agent }) => agent === told.agent) ? html`<p><strong>${this.#told(told, candidates)}</strong></p>` : nothing}
      ${ranked.length ? this.#ranked(ranked, candidates) : nothing}
      ${passed.length
        ? html`<ul class="passed">
            ${passed.map(({ why, count, agents }) => html`<li>${t(`why.passed.${why}`, { count })}${agents.length ? html`<span class="fine">${names(agents)}${count > agents.length ? t('why.and_more', { count: count - agents.length }) : ''}</span>` : nothing}</li>`)}
          </ul>`
        : nothing}
    </div>`;
  }

  /** How the agent stood who reads it, which is the only one that is asked for. */
  #told({ rank, why }, count) {
    return rank === null ? t(`why.you.${why}`) : t('why.you.rank', { rank, count });
  }

  #ranked(ranked, candidates) {
    const scores = SCORES.filter(([field]) => ranked[0][field] !== null);
    return html`<table class="lines">
        <thead>
          <tr>
            <th scope="col">${t('why.rank')}</th>
            <th scope="col">${t('calls.agents')}</th>
            <th scope="col" class="end">${t('why.level')}</th>
            ${scores.map(([, heading]) => html`<th scope="col" class="end">${t(heading)}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${ranked.map(
            (each) => html`<tr>
              <td class="time">${each.rank}</td>
              <th scope="row">${each.name}</th>
              <td class="time end">${each.level}</td>
              ${scores.map(([, , text]) => html`<td class="time end">${text(each)}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
      ${candidates > ranked.length ? html`<p class="fine">${t('why.more', { count: candidates - ranked.length })}</p>` : nothing}`;
  }
}

customElements.define('cb-call-why', Why);
