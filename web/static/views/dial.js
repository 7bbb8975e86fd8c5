// The number to be called, and the button that calls it; in the paperwork of such a call, and after one that came to
// nothing, also the one that calls it again.
// Where there are several numbers of ours, the agent may choose which is shown there.
// In its place in every state, so that nothing moves; what cannot be dialled now stays written until it can.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can, failedCall } from '../desk.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { button } from './parts.js';
import { View } from './view.js';

const KEY = 'cordboard.shown';

class Dial extends View {
  #number = '';
  #shown = localStorage.getItem(KEY) ?? ''; // the number of ours that is to be seen there; empty: the nearest

  render() {
    const { desk } = bench;
    if (!desk || !bench.owns || desk.state === 'signed_out') return nothing;
    const ready = bench.live && can.dial(desk) && !bench.pending.has('call.dial');
    const { outcome } = desk;
    const called = desk.state === 'after_call_work' && outcome?.kind === 'ended' && outcome.direction === 'outbound';
    const again = failedCall(outcome)?.number ?? (called ? outcome.number : '');
    return html`<form class="dial panel" ?data-again=${again} @submit=${this.#submit}>
      <label for="number">${t('dial.number')}</label>
      <input
        id="number"
        type="tel"
        autocomplete="off"
        spellcheck="false"
        maxlength="40"
        .value=${this.#number}
        @input=${({ target }) => {
          this.#number = target.value;
          this.requestUpdate();
        }}
      />
      ${this.#choice(desk.numbers)}
      <button class="button" ?disabled=${!ready || !this.#number.trim()}>${icon('phone')}<span>${t('do.dial')}</span></button>
      ${again ? button('do.redial', { symbol: 'rotate-cw', enabled: ready, act: () => bench.talk.dial(again, this.#shown) }) : nothing}
    </form>`;
  }

  /** A chosen number that is gone stays chosen until the agent takes another: no other is shown in its place. */
  #choice(numbers) {
    const gone = this.#shown && !numbers.includes(this.#shown);
    if (numbers.length < 2 && !gone) return nothing;
    const option = (value, text) => html`<option value=${value} ?selected=${value === this.#shown}>${text}</option>`;
    return html`<select class="shown" aria-label=${t('dial.shown')} title=${t('dial.shown')} @change=${this.#choose}>
      ${option('', t('dial.automatic'))} ${numbers.map((number) => option(number, number))}
      ${gone ? option(this.#shown, t('dial.gone', { number: this.#shown })) : nothing}
    </select>`;
  }

  #choose = ({ target }) => {
    this.#shown = target.value;
    if (this.#shown) localStorage.setItem(KEY, this.#shown);
    else localStorage.removeItem(KEY);
    this.requestUpdate();
  };

  #submit = async (event) => {
    event.preventDefault();
    const number = this.#number.trim();
    if (!number || !(bench.live && can.dial(bench.desk))) return;
    if ((await bench.talk.dial(number, this.#shown)) && this.#number.trim() === number) this.#number = '';
    this.requestUpdate();
  };
}

customElements.define('cb-dial', Dial);
