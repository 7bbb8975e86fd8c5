// The agent's own states of today: a bar of the day, what each state came to, and every change with its reason.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { statesOf } from '../api.js';
import { bench } from '../bench.js';
import { dayOf, places, totals } from '../day.js';
import { clock, length, midnight, minute, t } from '../i18n.js';
import { reasonText } from '../journal.js';
import { icon } from '../kit.js';
import { STATE_ICONS, failed } from './parts.js';
import { View } from './view.js';

const SETTLE_MS = 400; // a change is written some 100 ms after it is said
const TRIES = 4; // for a change that is not written yet, each after twice the time
const REDRAW_MS = 15000; // the bar and the sums grow

class States extends View {
  #spans = null;
  #error = null;
  #timer = 0;
  #redraw = 0;
  #heard = ({ detail }) => detail.event === 'agent.state' && this.#soon(detail.since);
  #linked = () => this.#soon(0);

  connectedCallback() {
    super.connectedCallback();
    bench.connection.addEventListener('event', this.#heard);
    bench.connection.addEventListener('open', this.#linked);
    this.#redraw = setInterval(() => this.requestUpdate(), REDRAW_MS);
    this.#load();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    clearInterval(this.#redraw);
    bench.connection.removeEventListener('event', this.#heard);
    bench.connection.removeEventListener('open', this.#linked);
    super.disconnectedCallback();
  }

  /** Asks when the state that began at `since` can have been written, and again while it is not there. */
  #soon(since, tries = TRIES, wait = SETTLE_MS) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      await this.#load();
      const there = this.#error || (this.#spans.at(-1)?.since ?? 0) >= since;
      if (!there && tries > 1 && this.isConnected) this.#soon(since, tries - 1, 2 * wait);
    }, wait);
  }

  async #load() {
    try {
      this.#spans = (await statesOf(bench.me.agent)).states;
      this.#error = null;
    } catch (error) {
      this.#error = error;
    }
    this.requestUpdate();
  }

  render() {
    const again = () => this.#load();
    if (!this.#spans) return this.#error ? failed(this.#error, t('states.error'), again) : html`<p class="empty" role="status">${t('states.loading')}</p>`;
    const now = bench.now();
    const day = places(dayOf(this.#spans, midnight(now), now));
    return html`
      ${this.#error ? failed(this.#error, t('states.error'), again) : nothing}
      ${day.length ? this.#day(day) : html`<p class="empty">${t('states.none')}</p>`}
    `;
  }

  #day(day) {
    const span = { from: minute(day[0].since), until: minute(day.at(-1).until) };
    return html`
      <div class="day-bar" role="img" aria-label=${t('states.bar', span)}>
        ${day.map(
          ({ state, left, width, since, until }) => html`<span
            data-state=${state}
            style="inset-inline-start:${left}%;inline-size:${width}%"
            title="${t(`state.${state}`)} ${clock(since)}–${clock(until)}"
          ></span>`,
        )}
      </div>
      <p class="bar-ends time"><span>${span.from}</span><span>${span.until}</span></p>
      <p class="counts">
        ${totals(day).map(({ state, seconds }) => html`<span data-state=${state}>${icon(STATE_ICONS[state])}${t(`state.${state}`)} <strong class="time">${length(seconds)}</strong></span>`)}
      </p>
      <div class="scroll" tabindex="0">
        <table class="lines" aria-label=${t('states.title')}>
          <thead>
            <tr>
              <th scope="col">${t('states.from')}</th>
              <th scope="col">${t('states.until')}</th>
              <th scope="col">${t('states.state')}</th>
              <th scope="col">${t('states.reason')}</th>
              <th scope="col" class="end">${t('states.length')}</th>
            </tr>
          </thead>
          <tbody>
            ${day.toReversed().map(
              ({ state, reason, since, until, open }) => html`<tr data-state=${state}>
                <td class="time">${clock(since)}</td>
                <td class="time">${open ? t('states.now') : clock(until)}</td>
                <th scope="row"><span class="class">${icon(STATE_ICONS[state])}${t(`state.${state}`)}</span></th>
                <td>${reasonText(reason)}</td>
                <td class="time end">${open ? html`<cb-clock .since=${since}></cb-clock>` : length(until - since)}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    `;
  }
}

customElements.define('cb-states', States);
