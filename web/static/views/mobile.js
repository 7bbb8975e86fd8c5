// The mobile at which calls are to ring: its number, which the switch keeps, and what that means.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can } from '../desk.js';
import { t } from '../i18n.js';
import { refusalWords } from '../journal.js';
import { icon } from '../kit.js';
import { button, byMobile } from './parts.js';
import { View } from './view.js';

class Mobile extends View {
  #number = bench.desk?.mobile ?? '';
  #problem = null; // why this number was refused

  render() {
    const busy = bench.pending.has('agent.mobile');
    const ready = bench.live && can.mobile(bench.desk) && this.#number.trim() !== '';
    return html`<form class="mobile-form" @submit=${this.#submit}>
      <p>${byMobile('mobile.text', 'mobile.text.pick_up')}</p>
      <label for="mobile-number">${t('mobile.number')}</label>
      <input
        id="mobile-number"
        type="tel"
        autofocus
        autocomplete="tel"
        spellcheck="false"
        maxlength="40"
        aria-invalid=${this.#problem ? 'true' : nothing}
        aria-describedby=${this.#problem ? 'mobile-problem' : nothing}
        .value=${this.#number}
        @input=${({ target }) => {
          this.#number = target.value;
          this.#problem = null;
          this.requestUpdate();
        }}
      />
      ${this.#problem
        ? html`<p class="failed" role="alert" id="mobile-problem">${icon('triangle-alert')}<span>${t(...this.#problem)}</span></p>`
        : nothing}
      ${bench.desk?.owner === 'this' ? html`<p class="fine">${t('mobile.seat')}</p>` : nothing}
      <div class="dialog-buttons">
        ${button('do.cancel', { act: () => this.#done() })}
        <button class="button primary" ?disabled=${!ready || busy}><span>${t('do.confirm')}</span></button>
      </div>
    </form>`;
  }

  #done() {
    this.dispatchEvent(new CustomEvent('done'));
  }

  #submit = async (event) => {
    event.preventDefault();
    this.#problem = null;
    if (await bench.answerByMobile(this.#number.trim(), (refusal) => (this.#problem = refusalWords(refusal)))) this.#done();
    this.requestUpdate();
  };
}

customElements.define('cb-mobile', Mobile);
