// What lies over the page: taking over, headset and sound, help; and the notices that come and go.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { KEYS } from './keys.js';
import { STATE_ICONS, button } from './parts.js';
import { View } from './view.js';
import './mobile.js';

/** Which of the dialogs that a person opens is open: "", "devices", "mobile" or "help". */
let open = '';

export function openDialog(name) {
  open = name;
  bench.changed();
}

class Dialogs extends View {
  connectedCallback() {
    super.connectedCallback();
    // a call must not ring behind a dialog
    this.offered = () => bench.desk?.state === 'ringing' && open && openDialog('');
    bench.addEventListener('change', this.offered);
  }

  disconnectedCallback() {
    bench.removeEventListener('change', this.offered);
    super.disconnectedCallback();
  }

  render() {
    return html`${this.#takeOver()} ${this.#devices()} ${this.#mobile()} ${this.#help()}`;
  }

  #takeOver() {
    const { seat } = bench;
    const asked = seat.dialog;
    const close = () => {
      seat.dialog = null;
      bench.changed();
    };
    return html`<wa-dialog
      label=${t(asked === 'taken' ? 'taken.title' : 'takeover.title')}
      ?open=${asked !== null}
      @wa-after-hide=${(event) => event.target === event.currentTarget && seat.dialog && close()}
    >
      ${asked
        ? html`<p>${t(asked === 'taken' ? 'taken.text' : 'takeover.text')}</p>
            <div slot="footer" class="dialog-buttons">
              ${button(asked === 'taken' ? 'do.close' : 'do.cancel', { act: close })}
              ${button('do.take_over', { kind: 'primary', enabled: bench.live, act: () => seat.signIn(true) })}
            </div>`
        : nothing}
    </wa-dialog>`;
  }

  #closing(name) {
    return (event) => event.target === event.currentTarget && open === name && openDialog('');
  }

  #devices() {
    return html`<wa-dialog
      label=${t('devices.title')}
      light-dismiss
      ?open=${open === 'devices'}
      @wa-after-hide=${this.#closing('devices')}
    >
      ${open === 'devices' ? html`<cb-devices></cb-devices>` : nothing}
    </wa-dialog>`;
  }

  #mobile() {
    return html`<wa-dialog label=${t('mobile.title')} ?open=${open === 'mobile'} @wa-after-hide=${this.#closing('mobile')}>
      ${open === 'mobile' ? html`<cb-mobile @done=${() => openDialog('')}></cb-mobile>` : nothing}
    </wa-dialog>`;
  }

  #help() {
    return html`<wa-dialog label=${t('help.title')} light-dismiss ?open=${open === 'help'} @wa-after-hide=${this.#closing('help')}>
      ${open === 'help'
        ? html`<p>${t('help.intro')}</p>
            <dl class="keys">
              ${Object.keys(KEYS).map((key) => html`<div><dt><kbd>${key}</kbd></dt><dd>${t(`help.${key.toLowerCase()}`)}</dd></div>`)}
            </dl>
            <h3>${t('help.colours')}</h3>
            <dl class="keys">
              ${Object.entries(STATE_ICONS).map(
                ([state, symbol]) => html`<div data-state=${state}>
                  <dt><span class="disc small">${icon(symbol)}</span></dt>
                  <dd><strong>${t(`state.${state}`)}</strong> ${t(`help.${state}`)}</dd>
                </div>`,
              )}
            </dl>`
        : nothing}
    </wa-dialog>`;
  }
}

class Notices extends View {
  render() {
    const { journal } = bench;
    return html`
      <div class="notices" aria-live="polite">
        ${repeat(
          journal.notices,
          ({ id }) => id,
          ({ id, level, key, values }) => html`<div class="notice" data-level=${level} role=${level === 'error' ? 'alert' : nothing}>
            ${icon(level === 'error' ? 'circle-alert' : 'info')}<span>${t(key, values)}</span>
            <button type="button" class="button quiet small" aria-label=${t('do.dismiss')} title=${t('do.dismiss')} @click=${() => journal.dismiss(id)}>
              ${icon('x')}
            </button>
          </div>`,
        )}
      </div>
      <div class="unseen" aria-live="assertive" id="spoken">${journal.spoken?.text()}</div>
    `;
  }
}

customElements.define('cb-dialogs', Dialogs);
customElements.define('cb-notices', Notices);
