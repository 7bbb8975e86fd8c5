// What stood in a field before: who wrote it, and when. Asked for when somebody looks.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { versionsOf } from '../api.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { failed } from './parts.js';
import { View } from './view.js';
import { writer } from './writer.js';

let ids = 0;

class Versions extends View {
  static properties = { edit: {}, label: {} };

  #id = `versions-${++ids}`;
  #found = null;
  #error = null;

  async #load() {
    this.#found = this.#error = null;
    this.requestUpdate();
    try {
      [, ...this.#found] = (await versionsOf(bench.paper.call, this.edit)).versions; // the first is the field's own
    } catch (error) {
      this.#error = error;
    }
    this.requestUpdate();
  }

  render() {
    const words = t('paper.versions', { field: this.label });
    return html`
      <button type="button" id=${this.#id} class="button quiet small" aria-haspopup="dialog" aria-label=${words} title=${words}>${icon('history')}</button>
      <wa-popover for=${this.#id} placement="bottom-start" @wa-show=${() => this.#load()}>
        <div class="versions" role="group" aria-label=${words} tabindex="0">${this.#list()}</div>
      </wa-popover>
    `;
  }

  #list() {
    if (this.#error) return failed(this.#error, t('paper.versions.error'), () => this.#load());
    if (!this.#found) return nothing;
    if (!this.#found.length) return html`<p class="empty">${t('paper.versions.none')}</p>`;
    return this.#found.map((one) => html`<figure class="summary">
      <figcaption>${writer(one)}</figcaption>
      <blockquote>${one.value || t('paper.nothing')}</blockquote>
    </figure>`);
  }
}

customElements.define('cb-versions', Versions);
