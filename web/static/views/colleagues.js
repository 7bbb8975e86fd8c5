// Colleagues and how they stand, live. By name, so that nobody moves when a state changes; who is signed out comes after.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { language, t } from '../i18n.js';
import { icon } from '../kit.js';
import { STATE_ICONS, stateReason } from './parts.js';
import { View } from './view.js';

class Colleagues extends View {
  #again = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    bench.roster.addEventListener('change', this.#again);
    bench.roster.watch();
  }

  disconnectedCallback() {
    bench.roster.removeEventListener('change', this.#again);
    super.disconnectedCallback();
  }

  render() {
    const { roster } = bench;
    if (!roster.known) return html`<p class="empty" role="status">${t('colleagues.loading')}</p>`;
    const names = new Intl.Collator(language());
    const all = [...roster.agents.values()].sort((one, other) => names.compare(one.name, other.name) || names.compare(one.agent, other.agent));
    const here = all.filter(({ state }) => state !== 'signed_out');
    const out = all.filter(({ state }) => state === 'signed_out');
    return html`
      <p class="counts">
        ${Object.keys(STATE_ICONS)
          .map((state) => ({ state, n: here.filter((one) => one.state === state).length }))
          .filter(({ n }) => n > 0)
          .map(({ state, n }) => html`<span data-state=${state}>${icon(STATE_ICONS[state])}${t('colleagues.count', { state: t(`state.${state}`), n })}</span>`)}
        ${here.length ? nothing : t('colleagues.none')}
      </p>
      <div class="scroll" tabindex="0" ?data-stale=${!bench.live}>
        <ul class="people" aria-label=${t('colleagues.title')}>
          ${repeat(here, ({ agent }) => agent, this.#person)}
          ${repeat(out, ({ agent }) => agent, this.#person)}
        </ul>
      </div>
    `;
  }

  #person = (one) => {
    const reason = stateReason(one);
    return html`<li data-state=${one.state} title=${one.agent}>
      <span class="disc small">${icon(STATE_ICONS[one.state])}</span>
      <span class="person">${one.name}${one.agent === bench.me?.agent ? html` <span class="fine">${t('colleagues.you')}</span>` : nothing}</span>
      <span class="stands">${t(`state.${one.state}`)}${reason ? html` <span class="fine">${reason}</span>` : nothing}</span>
      <cb-clock class="time" .since=${one.since}></cb-clock>
    </li>`;
  };
}

customElements.define('cb-colleagues', Colleagues);
