// Who is in the call, one below the other on one line: the customer, the agent, and a second one. The line is whole where
// they hear each other, dotted where it rings, and broken where one is held, who is drawn paler and has a pause beside it.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { t, telephone } from '../i18n.js';
import { speech } from '../desk.js';
import { icon } from '../kit.js';
import { partyLine } from '../parties.js';
import { nameOf } from './parts.js';

const ICONS = { customer: 'user', you: 'headphones', agent: 'headphones', second: 'user-plus', mobile: 'smartphone', number: 'phone' };
const STATE_ICONS = { held: 'pause', leaving: 'phone-forwarded', ringing: 'bell', early: 'bell' };

export function parties(call) {
  const line = partyLine(bench.desk);
  return html`<ol class="parties" aria-label=${t('parties.title')}>
    ${repeat(line, ({ who }) => who, (one) => party(one, call))}
  </ol>`;
}

const party = (one, call) => html`<li data-who=${one.who} data-stands=${one.state} data-joined=${one.joined || nothing}>
  <span class="disc small">${icon(ICONS[one.kind] ?? ICONS[one.who])}</span>
  ${one.who === 'customer'
    ? html`<div class="caller"><h2 class="number">${telephone(one.number)}</h2><p class="caller-name">${nameOf(one) || '\u00a0'}</p></div>`
    : one.who === 'you'
      ? you(call)
      : html`<p class="party">${one.name || telephone(one.number)}${one.name && one.number ? html` <span class="fine">${telephone(one.number)}</span>` : nothing}</p>`}
  ${one.state === 'talking' && one.who !== 'second' ? nothing : stands(one)}
</li>`;

/** How one stands, in a word, and since when. */
const stands = ({ who, state, since }) => html`<span class="stands">
  ${STATE_ICONS[state] ? icon(STATE_ICONS[state]) : nothing}<span>${t(`stands.${state}`)}</span>
  ${since === null ? nothing : html`<cb-clock class="time" .since=${since} data-of=${who}></cb-clock>`}
</span>`;

/** This agent, with what it hears and says. The levels are those of the streams here; that there is speech in them, and that
 *  it arrives, says the switch. */
function you(call) {
  const { remote, microphone } = bench.voice.media;
  if (!bench.owns) return html`<p class="party">${t('call.you')}</p>`;
  const { hears, speaks } = speech(bench.desk);
  return html`<p class="party">${t('call.you')}</p>
    <div class="levels">
      <span aria-hidden="true">${icon('volume-2')}</span><cb-meter .label=${t('call.heard_level')} .stream=${remote}></cb-meter>${speaking('call.hears_speech', hears)}
      <span aria-hidden="true">${icon(call.muted ? 'mic-off' : 'mic')}</span><cb-meter .label=${t('call.your_level')} .stream=${microphone}></cb-meter>${speaking('call.speaks', speaks)}
    </div>`;
}

/** The mark beside a meter; its place is kept where there is none. */
const speaking = (words, on) => html`<span class="speech" role="img" aria-label=${t(words)} title=${t(words)} ?data-off=${!on}></span>`;
