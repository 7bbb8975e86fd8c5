// The customer of the call at hand: profile and tags, the service summaries of the call, the earlier calls.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { t, telephone } from '../i18n.js';
import { icon } from '../kit.js';
import { PaperView, choice, refusedText } from './field.js';
import { CLASS_ICONS, failed, kindOf } from './parts.js';
import { when, writer } from './writer.js';

/** What every tab of the paper begins with: whose it is, and whether all of it is saved; then its parts, if there are any. */
export function paperFrame(empty, draw) {
  const { paper } = bench;
  const { call, waiting, error, saved } = paper;
  if (!call) return html`<p class="empty">${t(empty)}</p>`;
  const known = paper.paper;
  const name = known && paper.field({ kind: 'customer', field: 'name' }).value;
  return html`
    <header class="paper-head">
      <h2 class=${name ? '' : 'number'}>${name || (known ? telephone(known.number) : t('paper.loading'))}</h2>
      ${name ? html`<span class="number fine">${telephone(known.number)}</span>` : nothing}
      <p class="saved" role="status" data-saved=${saved}>${saved ? html`${icon(SAVED_ICONS[saved])}<span>${t(`paper.saved.${saved}`)}</span>` : nothing}</p>
    </header>
    ${waiting
      ? html`<p class="waiting-bar">
          ${icon('phone-incoming')}<span>${t('paper.waiting', { number: telephone(waiting.number) })}</span>
          <button type="button" class="button small" @click=${() => paper.turn()}>${t('paper.turn')}</button>
        </p>`
      : nothing}
    ${error ? problem(error) : nothing}
    ${known ? repeat([call], (one) => one, () => draw(known)) : nothing}
  `;
}

const SAVED_ICONS = { saved: 'check', saving: 'rotate-cw', waiting: 'wifi-off', choose: 'triangle-alert', incomplete: 'info', refused: 'circle-alert' };

function problem(error) {
  const words = { 403: 'paper.not_allowed', 404: 'paper.none' }[error.status];
  return words ? html`<p class="empty" role="alert">${t(words)}</p>` : failed(error, t('paper.error'), () => bench.paper.linked());
}

class Customer extends PaperView {
  render() {
    return html`<div class="paper">${paperFrame('paper.empty', (paper) => this.#parts(paper))}</div>`;
  }

  #parts(paper) {
    return html`<div class="scroll paper-parts" tabindex="-1">
      ${bench.paper.elsewhere.map(elsewhere)}
      <div class="paper-columns">
        <section aria-labelledby="profile-title">
          <h3 id="profile-title">${t('paper.profile')}</h3>
          <div class="fields">
            ${['name', 'company', 'email'].map((field) => html`<cb-field .kind=${'customer'} .field=${field}></cb-field>`)}
            <cb-field .kind=${'customer'} .field=${'address'} .rows=${1}></cb-field>
            <cb-field .kind=${'customer'} .field=${'note'} .rows=${3}></cb-field>
            <cb-tags></cb-tags>
          </div>
        </section>
        <section aria-label=${t('paper.summary')} class="summaries">
          <cb-field class="stacked" .kind=${'summary'} .field=${'text'} .rows=${6}></cb-field>
          ${repeat(
            paper.summaries.filter(({ agent, text }) => text.value && agent !== bench.me?.agent),
            ({ agent }) => agent,
            summary,
          )}
        </section>
      </div>
      <section aria-labelledby="earlier-title">
        <h3 id="earlier-title">${t('paper.earlier')}</h3>
        ${paper.earlier.length ? html`<ul class="earlier">${repeat(paper.earlier, ({ call }) => call, earlier)}</ul>` : html`<p class="empty">${t('paper.earlier.none')}</p>`}
      </section>
    </div>`;
  }
}

/** What another agent of the call wrote about it. */
export const summary = ({ text }) => html`<figure class="summary">
  <figcaption>${writer(text)}</figcaption>
  <blockquote>${text.value}</blockquote>
</figure>`;

const called = (kind) => (kind ? html`<span class="class" data-class=${kind}>${icon(CLASS_ICONS[kind])}${t(`calls.${kind}`)}</span>` : nothing);

const earlier = ({ began, direction, agents, summary: text, ...call }) => html`<li>
  <p>
    <span class="time">${when(began)}</span>
    ${called(kindOf(call))}
    ${direction === 'outbound' ? html`<span class="out">${t('calls.outbound')}</span>` : nothing}
    <span class="fine">${agents.join(t('why.and'))}</span>
  </p>
  ${text ? html`<blockquote>${text}</blockquote>` : nothing}
</li>`;

/** What was typed about another call and is not saved: somebody contradicts it, it was refused, or it is half. */
function elsewhere(entry) {
  const { paper } = bench;
  const { call, edit, value, written = {}, title, refused, number } = entry;
  const of = edit ? t(`paper.${edit.kind === 'summary' ? 'summary' : edit.field}`) : t(written.tag ? 'paper.tags' : 'paper.ticket.new');
  return html`<section class="elsewhere" aria-label=${t('paper.elsewhere')}>
    <p>${t('paper.elsewhere.text', { field: of, number: telephone(number) })} ${refused ? refusedText(refused) : nothing}</p>
    <blockquote>${value ?? title ?? Object.values(written).join('\n')}</blockquote>
    ${paper.contradicted(entry)
      ? choice({ newest: paper.newestIn(call, edit), keep: () => paper.keepMine(edit, call), take: () => paper.takeTheirs(edit, call) })
      : html`<div class="meanwhile-acts">
          ${written.title?.trim() ? html`<button type="button" class="button small" @click=${() => paper.openTicket(call)}>${t('paper.ticket.open')}</button>` : nothing}
          <button type="button" class="button small" @click=${() => paper.discard(entry)}>${t('paper.discard')}</button>
        </div>`}
  </section>`;
}

/** The tags of a customer; `remove(tag)` where they can be taken away. */
export const tagList = (tags, remove = null) => html`<ul class="tags" aria-label=${t('paper.tags')}>
  ${repeat(tags, (tag) => tag, (tag) => html`<li class="tag">
    <span>${tag}</span>${remove
      ? html`<button type="button" aria-label=${t('paper.tag.remove', { tag })} title=${t('paper.tag.remove', { tag })} @click=${() => remove(tag)}>${icon('x')}</button>`
      : nothing}
  </li>`)}
</ul>`;

const LIST = 'known-tags';
const ENDS = /[,，、;；\n]/; // what ends a tag as it is typed

class Tags extends PaperView {
  get #text() {
    return bench.paper.half('tag').tag ?? '';
  }

  updated() {
    const input = this.querySelector('input');
    if (input && !bench.paper.composing(this) && input.value !== this.#text) input.value = this.#text;
  }

  #typed = ({ target, isComposing, inputType }) => {
    bench.paper.typing();
    if (isComposing) return;
    const chosen = inputType === 'insertReplacementText' || inputType === undefined; // of the list
    const parts = target.value.split(ENDS);
    const tag = chosen ? '' : parts.pop();
    for (const part of parts) bench.paper.tag(part, true);
    bench.paper.setHalf('tag', { tag });
  };

  #composes = ({ target }) => bench.paper.composes(this, () => bench.paper.setHalf('tag', { tag: target.value }));

  #composed = ({ target }) => bench.paper.composed(this) && this.#typed({ target, isComposing: false, inputType: 'insertText' });

  #add = () => bench.paper.addTag();

  #keyed = (event) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    this.#add();
  };

  #remove(tag) {
    bench.paper.tag(tag, false);
    this.querySelector('input').focus();
  }

  render() {
    const { paper, writable } = bench.paper;
    if (!paper) return nothing;
    const { tags } = bench.paper;
    return html`
      <label for="add-tag">${t('paper.tags')}</label>
      <div class="typed tag-box" ?data-readonly=${!writable}>
        ${tagList(tags, writable ? (tag) => this.#remove(tag) : null)}
        ${writable
          ? html`<input
                id="add-tag"
                list=${LIST}
                aria-label=${t('paper.tag.add')}
                placeholder=${t('paper.tag.add')}
                autocomplete="off"
                spellcheck="false"
                maxlength=${bench.paper.limit('tag')}
                enterkeyhint="done"
                @input=${this.#typed}
                @compositionstart=${this.#composes}
                @compositionend=${this.#composed}
                @keydown=${this.#keyed}
                @blur=${this.#add}
              />
              <datalist id=${LIST}>${paper.known_tags.filter((tag) => !tags.includes(tag)).map((tag) => html`<option value=${tag}></option>`)}</datalist>`
          : nothing}
      </div>
    `;
  }
}

customElements.define('cb-tags', Tags);
customElements.define('cb-customer', Customer);
