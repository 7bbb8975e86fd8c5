// The tickets of the customer of the call at hand: a new one above, and those that there are, newest first.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { paperFrame } from './customer.js';
import { PaperView, choice, refusedText } from './field.js';
import { when } from './writer.js';

const STATUSES = ['open', 'waiting', 'done'];

class Tickets extends PaperView {
  render() {
    return html`<div class="paper">
      ${paperFrame('paper.empty.tickets', (paper) => html`
        ${paper.writable ? html`<cb-new-ticket></cb-new-ticket>` : nothing}
        <div class="scroll paper-parts" tabindex="-1">
          ${bench.paper.opening.map(opening)}
          ${paper.tickets.length
            ? html`<ul class="tickets" aria-label=${t('tabs.tickets')}>${repeat(paper.tickets, ({ ticket }) => ticket, this.#ticket)}</ul>`
            : bench.paper.opening.length ? nothing : html`<p class="empty">${t('paper.tickets.none')}</p>`}
        </div>
      `)}
    </div>`;
  }

  #ticket = ({ ticket, opened, agent, name, fields }) => html`<li class="ticket" aria-label=${fields.title.value} data-status=${fields.status.value}>
    <cb-field .kind=${'ticket'} .ticket=${ticket} .field=${'title'}></cb-field>
    <cb-status .ticket=${ticket}></cb-status>
    <cb-field .kind=${'ticket'} .ticket=${ticket} .field=${'text'} .rows=${2}></cb-field>
    <p class="fine">${t('paper.ticket.opened', { agent: name || agent, time: when(opened) })}</p>
  </li>`;
}

/** One that the switch has not got yet, or does not take. */
const opening = (entry) => html`<p class="failed" role=${entry.refused ? 'alert' : nothing}>
  ${icon(entry.refused ? 'circle-alert' : 'hourglass')}
  <span>${entry.refused ? t('paper.ticket.refused', { title: entry.title, text: refusedText(entry.refused) }) : t('paper.ticket.opening', { title: entry.title })}</span>
  ${entry.refused ? html`<button type="button" class="button small" @click=${() => bench.paper.discard(entry)}>${t('paper.discard')}</button>` : nothing}
</p>`;

class Status extends PaperView {
  static properties = { ticket: {} };

  get #edit() {
    return { kind: 'ticket', ticket: this.ticket, field: 'status' };
  }

  #chosen = ({ target }) => {
    bench.paper.edit(this.#edit, target.value, bench.paper.field(this.#edit).newest.version);
    bench.paper.settle(this.#edit);
  };

  render() {
    if (!bench.paper.paper) return nothing;
    const { value, newest, contradicted } = bench.paper.field(this.#edit);
    const word = (status) => t(`paper.status.${status}`);
    return html`
      <label for="status-${this.ticket}">${t('paper.status')}</label>
      <div class="typed">
        <select id="status-${this.ticket}" ?disabled=${!bench.paper.writable} .value=${value} @change=${this.#chosen}>
          ${STATUSES.map((status) => html`<option value=${status} .selected=${status === value}>${word(status)}</option>`)}
        </select>
        ${contradicted
          ? choice({
              newest: { ...newest, value: word(newest.value) },
              keep: () => bench.paper.keepMine(this.#edit),
              take: () => bench.paper.takeTheirs(this.#edit),
            })
          : nothing}
      </div>
    `;
  }
}

/** A ticket that is written, and opened by its button; half of it is kept as it is typed. */
class NewTicket extends PaperView {
  updated() {
    for (const control of this.querySelectorAll('input, textarea')) {
      const value = bench.paper.half('ticket')[control.name] ?? '';
      if (!bench.paper.composing(this) && control.value !== value) control.value = value;
    }
  }

  #typed = ({ target, isComposing }) => {
    bench.paper.typing();
    if (!isComposing) this.#keep(target);
  };

  #composes = ({ target }) => bench.paper.composes(this, () => this.#keep(target));

  #composed = ({ target }) => bench.paper.composed(this) && this.#keep(target);

  #keep({ name, value }) {
    bench.paper.setHalf('ticket', { ...bench.paper.half('ticket'), [name]: value });
  }

  #submit = (event) => {
    event.preventDefault();
    bench.paper.openTicket();
    this.querySelector('input').focus();
  };

  render() {
    const { paper } = bench;
    if (!paper.paper) return nothing;
    return html`<form class="new-ticket" aria-label=${t('paper.ticket.new')} @submit=${this.#submit}>
      <input
        name="title"
        aria-label=${t('paper.title')}
        placeholder=${t('paper.title')}
        autocomplete="off"
        maxlength=${paper.limit('title')}
        @input=${this.#typed}
        @compositionstart=${this.#composes}
        @compositionend=${this.#composed}
      />
      <button class="button" ?disabled=${!paper.half('ticket').title?.trim()}>${icon('plus')}<span>${t('paper.ticket.open')}</span></button>
      <textarea
        name="text"
        rows="2"
        aria-label=${t('paper.text')}
        placeholder=${t('paper.text')}
        maxlength=${paper.limit('text')}
        @input=${this.#typed}
        @compositionstart=${this.#composes}
        @compositionend=${this.#composed}
      ></textarea>
    </form>`;
  }
}

customElements.define('cb-status', Status);
customElements.define('cb-new-ticket', NewTicket);
customElements.define('cb-tickets', Tickets);
