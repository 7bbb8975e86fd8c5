// Small pieces of markup that several views draw: buttons with their key, the icon of each state.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { reasonKey } from '../desk.js';
import { chooseLanguage, otherLanguage, t, telephone } from '../i18n.js';
import { reasonText } from '../journal.js';
import { icon } from '../kit.js';

export const STATE_ICONS = {
  signed_out: 'log-out',
  idle: 'phone',
  ringing: 'phone-incoming',
  talking: 'phone-call',
  after_call_work: 'notebook-pen',
  break: 'coffee',
  mobile_answer: 'smartphone',
};

/** The reason of a state where it says more than the state itself. */
export function stateReason({ state, reason }) {
  if (state !== 'break' || !reason || reasonKey(reason) === 'chosen') return '';
  return reasonText(reason);
}

export const CLASS_ICONS = { normal: 'phone-call', not_connected: 'phone-missed', ring_abandoned: 'phone-off', voicemail: 'voicemail' };

/** What a call came to, as people see it: who left a message was not connected, but that is not all there is to say. */
export const kindOf = (call) => (call.message && call.class !== 'normal' ? 'voicemail' : call.class);

/** One of several, as buttons in a row; `word(value)` is the key of its name, `news(value)` of what there is new of it. */
export const choices = (label, values, chosen, word, choose, news = () => '') => html`<div class="choices" role="group" aria-label=${t(label)}>
  ${values.map(
    (value) => html`<button type="button" class="button small" aria-pressed=${value === chosen} @click=${() => value !== chosen && choose(value)}>
      ${t(word(value))}${news(value) ? html`<span class="news" role="img" aria-label=${t(news(value))} title=${t(news(value))}></span>` : nothing}
    </button>`,
  )}
</div>`;

/** What could not be loaded, and the way to try again; a login that is over says so instead. */
export const failed = (error, words, again) => html`<div class="failed" role="alert">
  ${icon('triangle-alert')}<span>${error.status === 401 ? t('login.expired') : words}</span>
  <button type="button" class="button small" @click=${again}>${icon('rotate-cw')}<span>${t('calls.again')}</span></button>
</div>`;

/** What is said of the mobile: by a key a call is taken there, or as soon as it is picked up. */
export const byMobile = (key, pickUp) => t(bench.me?.accept === 'pick-up' ? pickUp : key);

/** A command's button. The key is drawn for the eye, told by aria-keyshortcuts and the tooltip, and not in the name. One
    that is `settling` takes no click yet and looks as it will. */
export function button(key, { symbol = '', kind = '', shortcut = '', tip = t(key), enabled = true, busy = false, settling = false, act }) {
  return html`<button
    type="button"
    class="button ${kind}"
    ?disabled=${!enabled || busy || settling}
    ?data-settling=${enabled && settling}
    aria-keyshortcuts=${shortcut || nothing}
    title=${shortcut ? `${tip} (${shortcut})` : tip === t(key) ? nothing : tip}
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

/** The name that the network gave; none where it is the number once more, which some telephones give. */
export const nameOf = ({ number, name }) => (name === number ? '' : name);

/** Who it is: the number large, and the name where the network gave one. */
export const caller = ({ number, name }) => html`<div class="caller">
  <h2 class="number">${telephone(number)}</h2>
  <p class="caller-name">${nameOf({ number, name }) || '\u00a0'}</p>
</div>`;

/** A fact of a call that another number sent on to the one that was dialled; nothing where none did. */
export const diverted = ({ diverted_from }) =>
  diverted_from ? html`<div><dt>${t('offer.diverted_from')}</dt><dd class="number">${telephone(diverted_from)}</dd></div>` : nothing;
