// Who is in the call, one below the other on one line. The line is whole where they hear each other, and dotted where one is
// held, who is drawn paler and has a pause beside it.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { bench } from '../bench.js';
import { t, telephone } from '../i18n.js';
import { icon } from '../kit.js';
import { partyLine } from '../parties.js';

const ICONS = { customer: 'user', you: 'headphones' };

export function parties(call) {
  const line = partyLine(bench.desk);
  return html`<ol class="parties" aria-label=${t('parties.title')}>
    ${repeat(line, ({ who }) => who, (one) => party(one, call))}
  </ol>`;
}

const party = (one, call) => html`<li data-who=${one.who} data-stands=${one.state} data-joined=${one.joined || nothing}>
  <span class="disc small">${icon(ICONS[one.who])}</span>
  ${one.who === 'customer'
    ? html`<div class="caller"><h2 class="number">${telephone(one.number)}</h2><p class="caller-name">${one.name || '\u00a0'}</p></div>`
    : you(call)}
  ${one.state === 'held' ? held(one) : nothing}
</li>`;

const held = ({ since }) => html`<span class="stands">
  ${icon('pause')}<span>${t('stands.held')}</span><cb-clock class="time" .since=${since}></cb-clock>
</span>`;

/** This agent, with what it hears and says. */
function you(call) {
  const { remote, microphone } = bench.voice.media;
  if (!bench.owns) return html`<p class="party">${t('call.you')}</p>`;
  return html`<p class="party">${t('call.you')}</p>
    <div class="levels">
      <span aria-hidden="true">${icon('volume-2')}</span><cb-meter .label=${t('call.heard_level')} .stream=${remote}></cb-meter>
      <span aria-hidden="true">${icon(call.muted ? 'mic-off' : 'mic')}</span><cb-meter .label=${t('call.your_level')} .stream=${microphone}></cb-meter>
    </div>`;
}
