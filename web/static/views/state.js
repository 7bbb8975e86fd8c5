// The agent's state: its name, why and for how long, and the buttons that change it. Each has one place, and none of the
// others ever stands there: a click that comes twice does nothing else.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can } from '../desk.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { openDialog } from './dialogs.js';
import { STATE_ICONS, button, stateReason } from './parts.js';
import { View } from './view.js';

class State extends View {
  render() {
    const { desk } = bench;
    const state = desk?.state ?? 'signed_out';
    const reason = desk ? stateReason(desk) : '';
    const ready = (rule) => bench.live && rule(desk);
    return html`
      <section class="state panel" data-state=${desk ? state : 'unknown'}>
        <span class="disc">${icon(STATE_ICONS[state])}</span>
        <div class="state-words">
          <div class="state-name" role="status" aria-label=${t('state.label')}>${desk ? t(`state.${state}`) : nothing}</div>
          <div class="state-why">
            ${desk
              ? html`${reason ? html`<strong>${reason}</strong> · ` : nothing}<cb-clock
                    class="time"
                    title=${t('state.time')}
                    .since=${desk.since}
                  ></cb-clock>`
              : nothing}
          </div>
        </div>
        ${desk && !bench.speaks
          ? button('do.sign_in', {
              symbol: 'log-in',
              kind: 'primary sign-in',
              enabled: bench.live,
              busy: bench.pending.has('agent.sign_in'),
              act: () => bench.seat.signIn(),
            })
          : nothing}
        ${desk && !bench.speaks && can.mobile(desk)
          ? html`<div class="state-actions">
              <p class="state-text">${state === 'signed_out' ? t('stage.signed_out.text') : nothing}</p>
              ${this.#mobile(state, ready)}
            </div>`
          : nothing}
        ${desk && bench.speaks ? this.#actions(state, ready) : nothing}
      </section>
    `;
  }

  #mobile(state, ready) {
    return html`<button
      type="button"
      class="button by-mobile ${state === 'mobile_answer' ? 'chosen' : ''}"
      aria-haspopup="dialog"
      ?disabled=${!ready(can.mobile)}
      @click=${() => openDialog('mobile')}
    >
      <span>${t('do.mobile_answer')}</span>
    </button>`;
  }

  #actions(state, ready) {
    return html`<div class="state-actions" role="group" aria-label=${t('state.label')}>
      <div class="modes">
        ${button('do.idle', {
          kind: state === 'idle' ? 'chosen' : '',
          shortcut: state === 'break' ? 'F9' : '',
          enabled: ready(can.idle),
          busy: bench.pending.has('agent.state idle') || bench.pending.has('agent.sign_in'),
          act: () => (bench.desk.owner === 'mobile' ? bench.seat.signIn() : bench.setState('idle')),
        })}
        ${button('do.break', {
          kind: state === 'break' ? 'chosen' : '',
          shortcut: state === 'idle' || state === 'after_call_work' ? 'F9' : '',
          enabled: ready(can.break),
          busy: bench.pending.has('agent.state break'),
          act: () => bench.setState('break'),
        })}
        ${this.#mobile(state, ready)}
      </div>
      ${button('do.sign_out', {
        enabled: ready(can.signOut),
        busy: bench.pending.has('agent.sign_out'),
        act: () => bench.signOut(),
      })}
    </div>`;
  }
}

customElements.define('cb-state', State);
