// Whose call it was and what was written of it: for reading, in the details of a call.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { paperOf } from '../api.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { summary, tagList } from './customer.js';
import { PaperView } from './field.js';
import { failed } from './parts.js';

class PastPaper extends PaperView {
  static properties = { call: {} };

  #found = null;
  #error = null;

  willUpdate(changed) {
    if (changed.has('call')) this.#load();
  }

  async #load() {
    const { call } = this;
    this.#found = this.#error = null;
    try {
      const found = await paperOf(call);
      if (call === this.call) this.#found = found;
    } catch (error) {
      if (call === this.call) this.#error = error;
    }
    this.requestUpdate();
  }

  render() {
    if (this.#error && ![403, 404].includes(this.#error.status)) return failed(this.#error, t('paper.error'), () => this.#load());
    // that of the call at hand is kept up to date
    const paper = (bench.paper.call === this.call && bench.paper.paper) || this.#found;
    if (!paper) return nothing;
    const { fields, tags } = paper.customer;
    const { name, company } = fields;
    const written = paper.summaries.filter(({ text }) => text.value);
    if (!name.value && !company.value && !tags.length && !written.length) return nothing;
    return html`<section class="past-paper" aria-labelledby="past-paper-title">
      <h3 id="past-paper-title">${t('tabs.customer')}</h3>
      <div class="past-customer">
        ${name.value ? html`<strong>${name.value}</strong>` : nothing} ${company.value ? html`<span>${company.value}</span>` : nothing}
        ${tags.length ? tagList(tags) : nothing}
      </div>
      ${written.length ? html`<h3>${t('paper.summary')}</h3>${written.map(summary)}` : nothing}
    </section>`;
  }
}

customElements.define('cb-past-paper', PastPaper);
