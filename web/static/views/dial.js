// The number to be called, and the button that calls it; in the paperwork of such a call also the one that calls it again.
// In its place in every state, so that nothing moves; what cannot be dialled now stays written until it can.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can } from '../desk.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { button } from './parts.js';
import { View } from './view.js';

class Dial extends View {
  #number = '';

  render() {
    const { desk } = bench;
    if (!desk || !bench.owns || desk.state === 'signed_out') return nothing;
    const ready = bench.live && can.dial(desk) && !bench.pending.has('call.dial');
    const { outcome } = desk;
    const again = desk.state === 'after_call_work' && outcome?.kind === 'ended' && outcome.direction === 'outbound';
    return html`<form class="dial panel" @submit=${this.#submit}>
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
      <button class="button" ?disabled=${!ready || !this.#number.trim()}>${icon('phone')}<span>${t('do.dial')}</span></button>
      ${again ? button('do.redial', { symbol: 'rotate-cw', enabled: ready, act: () => bench.talk.dial(outcome.number) }) : nothing}
    </form>`;
  }

  #submit = async (event) => {
    event.preventDefault();
    const number = this.#number.trim();
    if (!number || !(bench.live && can.dial(bench.desk))) return;
    if ((await bench.talk.dial(number)) && this.#number.trim() === number) this.#number = '';
    this.requestUpdate();
  };
}

customElements.define('cb-dial', Dial);
