// What all views share: they draw into the page itself, not into a shadow, so that one style sheet, labels and live
// regions reach everything; and they draw again whenever the workbench or the language changes.

import { LitElement } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';

export class View extends LitElement {
  #again = () => this.requestUpdate();

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    bench.addEventListener('change', this.#again);
  }

  disconnectedCallback() {
    bench.removeEventListener('change', this.#again);
    super.disconnectedCallback();
  }
}
