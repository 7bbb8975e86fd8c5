// A field of the paperwork: what is typed is kept at once, and what another agent wrote meanwhile stands below it.
//
// The text in the control is the agent's while an input method composes in it; only what came of that is an edit, based on
// what was shown when it began.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import './versions.js';
import { View } from './view.js';
import { writer } from './writer.js';

/** A view of the paper: drawn again when that changes. */
export class PaperView extends View {
  #again = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    bench.paper.addEventListener('change', this.#again);
  }

  disconnectedCallback() {
    bench.paper.removeEventListener('change', this.#again);
    super.disconnectedCallback();
  }
}

/** Why something is not taken, in words. */
export const refusedText = (refused) => t(`paper.refused.${refused}`, bench.paper.paper.limits);

/** What another agent wrote meanwhile, and the choice. */
export function choice({ newest, keep, take }) {
  return html`<div class="meanwhile" role="group" aria-label=${t('paper.choose')}>
    <p role="alert">${icon('triangle-alert')}<span>${t('paper.meanwhile', { agent: newest.name || newest.agent })}</span></p>
    <blockquote>${newest.value || t('paper.nothing')}</blockquote>
    <div class="meanwhile-acts">
      <button type="button" class="button small" @click=${keep}>${t('paper.keep')}</button>
      <button type="button" class="button small" @click=${take}>${t('paper.take')}</button>
    </div>
  </div>`;
}

let ids = 0;

class Field extends PaperView {
  static properties = { kind: {}, ticket: {}, field: {}, rows: { type: Number } };

  #id = `field-${++ids}`;
  #shown = 0; // the version that the control shows

  get #edit() {
    const { kind, ticket, field } = this;
    return ticket ? { kind, ticket, field } : { kind, field };
  }

  get control() {
    return this.querySelector('input, textarea');
  }

  /** The text of the control as it is to be; that of an agent who composes stays theirs. */
  updated() {
    if (bench.paper.composing(this) || !bench.paper.paper) return;
    const { value, newest } = bench.paper.field(this.#edit);
    this.#shown = newest.version;
    if (this.control.value !== value) this.control.value = value;
  }

  #typed = ({ target, isComposing }) => {
    bench.paper.typing();
    if (isComposing) return;
    bench.paper.edit(this.#edit, target.value, this.#shown);
  };

  #composes = () => bench.paper.composes(this, () => this.#keep());

  #composed = () => bench.paper.composed(this) && this.#keep();

  #keep() {
    bench.paper.edit(this.#edit, this.control.value, this.#shown);
  }

  #left = () => {
    bench.paper.settle(this.#edit);
    this.requestUpdate();
  };

  render() {
    if (!bench.paper.paper) return nothing;
    const { field, rows } = this;
    const { newest, contradicted, incomplete, refused } = bench.paper.field(this.#edit);
    const id = this.#id;
    const told = `${id}-told`;
    const problem = refused ? refusedText(refused) : (incomplete && document.activeElement !== this.control ? t(`paper.half.${field}`) : '');
    const limit = bench.paper.limit(this.kind === 'summary' ? this.kind : field);
    const common = {
      readonly: !bench.paper.writable,
      invalid: problem ? 'true' : nothing,
      by: this.kind === 'customer' ? writer(newest) || nothing : nothing,
    };
    const label = t(`paper.${this.kind === 'summary' ? 'summary' : field}`);
    return html`
      <div class="label">
        <label for=${id}>${label}</label>
        ${rows > 1 && newest.version > 1 ? html`<cb-versions .edit=${this.#edit} .label=${label}></cb-versions>` : nothing}
      </div>
      <div class="typed">
        ${rows
          ? html`<textarea
              id=${id}
              rows=${rows}
              maxlength=${limit}
              title=${common.by}
              ?readonly=${common.readonly}
              aria-invalid=${common.invalid}
              aria-describedby=${told}
              @input=${this.#typed}
              @compositionstart=${this.#composes}
              @compositionend=${this.#composed}
              @blur=${this.#left}
            ></textarea>`
          : html`<input
              id=${id}
              type="text"
              inputmode=${field === 'email' ? 'email' : nothing}
              autocomplete="off"
              spellcheck="false"
              maxlength=${limit}
              title=${common.by}
              ?readonly=${common.readonly}
              aria-invalid=${common.invalid}
              aria-describedby=${told}
              @input=${this.#typed}
              @compositionstart=${this.#composes}
              @compositionend=${this.#composed}
              @blur=${this.#left}
            />`}
        <div id=${told}>
          ${problem ? html`<p class="problem-line" role="alert">${problem}</p>` : nothing}
          ${contradicted
            ? choice({ newest, keep: () => this.#chosen('keepMine'), take: () => this.#chosen('takeTheirs') })
            : nothing}
        </div>
      </div>
    `;
  }

  /** The buttons go with the choice: the focus is left in the field. */
  #chosen(how) {
    bench.paper[how](this.#edit);
    this.control.focus();
  }
}

customElements.define('cb-field', Field);
