// What an agent does with its call, below who is in it: a row for the parties, and one for its own voice and the end.
//
// The row has the same places in every state. Where two acts follow each other in one place, the later one leads no further
// than a dialog or can be taken back, and takes no click until it has stood there for a moment (`steady.js`). It is another
// button, not the one before with other words: who had the focus there, or comes back from a dialog that was opened there,
// is left at the call, and a key does nothing.

import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can } from '../desk.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { may, modeOf } from '../parties.js';
import { Focus } from './focus.js';
import { button } from './parts.js';
import { Steady } from './steady.js';
import { View } from './view.js';
import './keypad.js';

/** The acts of the row: name -> its icon, its key, its command and what it does. */
export const ACTS = {
  hold: ['pause', 'F7', 'call.hold', () => bench.talk.hold()],
  retrieve: ['play', 'F7', 'call.retrieve', () => bench.talk.retrieve()],
  consult: ['messages-square', 'F6', '', () => bench.talk.choose('consult')],
  transfer: ['phone-forwarded', 'F3', '', () => bench.talk.choose('transfer')],
  invite: ['user-plus', 'F10', '', () => bench.talk.choose('invite')],
  swap: ['arrow-left-right', 'F7', 'call.swap', () => bench.talk.swap()],
  complete: ['check', 'F2', 'call.complete', () => bench.talk.complete()],
  cancel: ['x', 'F9', 'call.cancel', () => bench.talk.cancel()],
  merge: ['merge', 'F10', 'call.merge', () => bench.talk.merge()],
  survey: ['star', '', 'call.survey', () => bench.talk.survey()], // without a key: a wrong one would cost a conversation
};

// What stands in each place; of two, which are one button, the one that means something now.
const ROWS = {
  call: [['hold', 'retrieve'], ['consult'], ['transfer'], ['invite'], ['survey']],
  consult: [['swap'], ['complete'], ['cancel'], ['merge'], ['survey']],
  three_way: [['hold', 'retrieve'], ['consult'], ['cancel'], ['invite'], ['survey']],
  referred: [['hold', 'retrieve'], ['consult'], ['cancel'], ['invite'], ['survey']],
  second: [],
};

class Controls extends View {
  #steady = new Steady(this);

  constructor() {
    super();
    new Focus(this);
  }

  render() {
    const { connected } = bench.desk ?? {};
    if (!connected || !bench.speaks) return nothing;
    return html`
      <div class="stage-acts" role="group" aria-label=${t('controls.title')}>
        ${repeat(
          ROWS[modeOf(bench.desk)],
          ([name]) => name,
          (names, place) => this.#act(place, names.find((one) => may[one](bench.desk)) ?? names[0]),
        )}
      </div>
      <div class="stage-more">${this.#voice(connected)}</div>
    `;
  }

  #act(place, name) {
    const [symbol, shortcut, command, act] = ACTS[name];
    const words = name === 'cancel' ? `do.cancel.${modeOf(bench.desk)}` : `do.${name}`;
    return button(words, {
      symbol,
      kind: `act ${name}`,
      shortcut,
      tip: t(`tip.${name}`),
      enabled: bench.live && may[name](bench.desk),
      busy: bench.pending.has(command),
      settling: !this.#steady.stands(place, name),
      act,
    });
  }

  #voice({ muted }) {
    const ready = bench.live && can.mute(bench.desk);
    return html`
      ${button(muted ? 'do.unmute' : 'do.mute', {
        symbol: muted ? 'mic-off' : 'mic',
        kind: muted ? 'muted' : '',
        shortcut: 'F8',
        enabled: ready,
        busy: bench.pending.has(muted ? 'call.unmute' : 'call.mute'),
        settling: !this.#steady.stands('mute', muted),
        act: () => bench.talk.setMuted(!muted),
      })}
      ${bench.owns ? keypad() : html`<span></span>`}
      ${button('do.hang_up', {
        symbol: 'phone-off',
        kind: 'danger right',
        shortcut: 'F4',
        enabled: ready,
        busy: bench.pending.has('call.hang_up'),
        act: () => bench.talk.hangUp(),
      })}
    `;
  }
}

/** Keys go the way of the voice: they need no link to the server, and there are none where that is a mobile's. */
const keypad = () => html`
  <button type="button" id="keypad" class="button pad" aria-label=${t('do.keypad')} title=${t('do.keypad')} aria-haspopup="dialog">
    ${icon('grip')}<span>${t('do.keypad')}</span>
  </button>
  <wa-popover for="keypad" placement="top"><cb-keypad></cb-keypad></wa-popover>
`;

customElements.define('cb-controls', Controls);
