// The keypad of a call: each key goes to the caller's side at once, by click or by the keyboard while the pad has the
// focus. The keys that were sent stand above until the call is over; they are in this page alone.

import { html } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { View } from './view.js';

const KEYS = [...'123456789*0#'];

/** The keys of a telephone, each a button. */
export const keys = (press, ready) => KEYS.map((key) => html`<button type="button" class="button" ?disabled=${!ready} @click=${() => press(key)}>${key}</button>`);

class Keypad extends View {
  #sent = '';

  #press(key) {
    const { media } = bench.voice;
    if (!media.takesKeys) return;
    media.press(key);
    this.#sent += key;
    this.requestUpdate();
  }

  #typed(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !KEYS.includes(event.key)) return;
    event.preventDefault();
    this.#press(event.key);
  }

  render() {
    const ready = bench.voice.media.takesKeys;
    return html`<div class="keypad" role="group" aria-label=${t('keypad.title')} tabindex="-1" autofocus @keydown=${this.#typed}>
      <output class="sent" aria-label=${t('keypad.sent')}>${this.#sent}</output>
      ${keys((key) => this.#press(key), ready)}
      <p class="fine">${t(ready ? 'keypad.text' : 'keypad.not_now')}</p>
    </div>`;
  }
}

customElements.define('cb-keypad', Keypad);
