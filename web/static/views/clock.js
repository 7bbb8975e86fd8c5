// Running times: <cb-clock> counts up from `since` or down to `until`, by the switch's clock, and touches only its text.
// `words` is the key of what it says counting down, with {seconds}.

import { bench } from '../bench.js';
import { length, t } from '../i18n.js';

class Clock extends HTMLElement {
  #since = null;
  #until = null;
  #words = '';
  #timer = 0;

  set since(epoch) {
    this.#since = epoch;
    this.#show();
  }

  set until(epoch) {
    this.#until = epoch;
    this.#show();
  }

  set words(key) {
    this.#words = key;
    this.#show();
  }

  connectedCallback() {
    this.#show();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }

  #show() {
    clearTimeout(this.#timer);
    if (!this.isConnected || (this.#since === null && !(this.#until !== null && this.#words))) return;
    const passed = this.#until === null ? bench.now() - this.#since : this.#until - bench.now();
    const text =
      this.#until === null ? length(passed) : t(this.#words, { seconds: Math.max(0, Math.ceil(passed)) });
    if (this.textContent !== text) this.textContent = text;
    // at the next whole second of what is shown, not of the wall clock
    const rest = this.#until === null ? 1 - (passed - Math.floor(passed)) : passed - Math.ceil(passed) + 1;
    this.#timer = setTimeout(() => this.#show(), 1000 * rest + 5);
  }
}

customElements.define('cb-clock', Clock);
