// Small pieces of markup that several views draw: buttons with their key, the icon of each state.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { chooseLanguage, otherLanguage, t, telephone } from '../i18n.js';
import { icon } from '../kit.js';

export const STATE_ICONS = {
  signed_out: 'log-out',
  idle: 'phone',
  ringing: 'phone-incoming',
  talking: 'phone-call',
  after_call_work: 'notebook-pen',
  break: 'coffee',
};

/** A command's button. The key is drawn for the eye, told by aria-keyshortcuts and the tooltip, and not in the name. */
export function button(key, { symbol = '', kind = '', shortcut = '', enabled = true, busy = false, act }) {
  return html`<button
    type="button"
    class="button ${kind}"
    ?disabled=${!enabled || busy}
    aria-keyshortcuts=${shortcut || nothing}
    title=${shortcut ? `${t(key)} (${shortcut})` : nothing}
    @click=${act}
  >
    ${symbol ? icon(symbol) : nothing}<span>${t(key)}</span>${shortcut
      ? html`<kbd aria-hidden="true">${shortcut}</kbd>`
      : nothing}
  </button>`;
}

export const languageButton = () => html`<button
  type="button"
  class="button quiet"
  title=${t('language.switch')}
  lang=${otherLanguage() === 'zh' ? 'zh-CN' : 'en'}
  @click=${() => chooseLanguage(otherLanguage())}
>
  ${icon('languages')}<span>${t('language.switch')}</span>
</button>`;

/** Who it is: the number large, and the name where the network gave one. */
export const caller = ({ number, name }) => html`<div class="caller">
  <h2 class="number">${telephone(number)}</h2>
  <p class="caller-name">${name || '\u00a0'}</p>
</div>`;
