// The call in the stage: its time, who is in it, the quality of the line, what the agent does with it; and while the agent's
// audio is gone, that it is coming back, and for how long the caller waits for it.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { t, telephone } from '../i18n.js';
import { overText } from '../journal.js';
import { icon } from '../kit.js';
import { modeOf, partiesOf, unheard } from '../parties.js';
import { word } from '../quality.js';
import './controls.js';
import { parties } from './parties.js';
import { button, diverted } from './parts.js';

const QUALITY_ICONS = { good: 'wifi', fair: 'wifi', poor: 'triangle-alert', silent: 'triangle-alert', measuring: 'wifi' };

// What says by itself that it is of the connection.
const WHOLE = new Set(['silent', 'measuring']);

const MODE_ICONS = { call: 'phone-call', held: 'pause', consult: 'messages-square', three_way: 'users', referred: 'phone-forwarded' };

export function callCard(call) {
  const { customerHeld, second, byName, by } = partiesOf(bench.desk);
  const mode = modeOf(bench.desk);
  const asked = second?.purpose ?? call.purpose; // of one who was asked into it
  const shown = mode === 'second' ? asked : mode === 'call' && customerHeld ? 'held' : mode;
  const words = mode === 'second' ? t(`call.mode.asked.${asked}`, { agent: byName || by }) : t(`call.mode.${shown}`);
  return html`
    <div class="stage-head">
      <div class="over">
        <span class="mode" data-mode=${shown}>${icon(MODE_ICONS[shown])} ${words}</span>
        <cb-clock class="call-time" role="timer" aria-label=${t('call.time')} .since=${call.since}></cb-clock>
        ${bench.owns ? quality() : nothing}
      </div>
      ${parties(call)} ${told(call)}
      ${call.muted ? html`<p class="muted-bar">${icon('mic-off')}<strong>${t('call.muted')}</strong></p>` : nothing}
    </div>
    ${bench.speaks ? html`<cb-controls></cb-controls>` : html`<div class="stage-main">${watching()}</div>`}
  `;
}

/** What has to be known now; the facts of the call where there is nothing. */
function told(call) {
  if (bench.seat.signingIn || bench.desk.awayUntil !== null) return away();
  if (unheard(bench.desk).length) return sound();
  return bench.talk.over ? over() : facts(call);
}

/** Why the one who was asked is not in the call, until it is dismissed or somebody else is asked. */
function over() {
  const held = partiesOf(bench.desk).customerHeld;
  return html`<div class="away-bar over-bar" role="status" aria-label=${t('second.over')}>
    ${icon('phone-missed')}
    <p><strong>${overText(bench.talk.over)}</strong> ${held ? t('second.still_held') : nothing}</p>
    <button type="button" class="button quiet small" aria-label=${t('do.dismiss')} title=${t('do.dismiss')} @click=${() => bench.talk.dismiss()}>${icon('x')}</button>
  </div>`;
}

const facts = (call) =>
  call.direction === 'outbound'
    ? html`<p>${t('dial.answered')}</p>`
    : html`<dl class="facts">
        <div><dt>${t('offer.queue')}</dt><dd>${call.queue_name}</dd></div>
        <div><dt>${t('offer.dialled')}</dt><dd class="number">${telephone(call.dialled)}</dd></div>
        ${diverted(call)}
      </dl>`;

/** In the place of the facts: the agent's audio is on its way, and for how long the caller waits for it. */
function away() {
  const { owner, awayUntil, connected } = bench.desk;
  const doing = bench.seat.signingIn ? 'connecting' : bench.voice.renewing ? 'restoring' : owner;
  const then = partiesOf(bench.desk).role === 'second' ? 'without' : connected.queue ? 'left' : 'ends';
  return html`<div class="away-bar">
    ${icon(bench.seat.signingIn ? 'headphones' : 'triangle-alert')}
    <p>
      <strong>${t(`call.away.${doing}`)}</strong>
      ${awayUntil === null ? nothing : html`<cb-clock .words=${`call.away.${then}`} .until=${awayUntil}></cb-clock>`}
    </p>
  </div>`;
}

/** In the place of the facts: whose sound does not get through, and what that means. */
function sound() {
  const names = unheard(bench.desk);
  return html`<div class="away-bar sound-bar" data-sound=${names.join(' ')}>
    ${icon(names[0] === 'silent' ? 'info' : 'triangle-alert')}
    <div>${names.map((name) => html`<p><strong>${t(`sound.${name}`)}</strong> ${t(`sound.${name}.text`)}</p>`)}</div>
  </div>`;
}

/** Of a page that does not carry the call: nothing to do, unless nobody does. */
function watching() {
  if (bench.seat.signingIn) return nothing;
  if (bench.desk.awayUntil === null || bench.desk.owner === 'other') return html`<p class="watching">${t('stage.other.text')}</p>`;
  return button('do.go_on', {
    symbol: 'headphones',
    kind: 'primary huge',
    enabled: bench.live,
    act: () => bench.seat.signIn(),
  });
}

function quality() {
  const { figures } = bench.voice;
  const said = word(figures);
  const quality = t(`quality.${said}`);
  const words = WHOLE.has(said) ? quality : t('quality.said', { quality });
  const short = said === 'silent' ? t('quality.silent.short') : quality; // beside who the call is with, which has no other place
  return html`
    <button type="button" id="quality" class="quality" data-quality=${said} aria-haspopup="dialog" aria-label=${words} title=${words}>
      ${icon(QUALITY_ICONS[said])}<span>${short}</span>
    </button>
    <wa-popover for="quality" placement="bottom-end">
      <table class="figures">
        <caption class="unseen">${t('quality.details')}</caption>
        <thead>
          <tr><td></td><th scope="col">${t('quality.heard')}</th><th scope="col">${t('quality.spoken')}</th></tr>
        </thead>
        <tbody>
          <tr><th scope="row">${t('quality.loss')}</th>${cell('unit.percent', figures?.heard.loss, 1)}${cell('unit.percent', figures?.spoken.loss, 1)}</tr>
          <tr><th scope="row">${t('quality.jitter')}</th>${cell('unit.ms', figures?.heard.jitter)}${cell('unit.ms', figures?.spoken.jitter)}</tr>
          <tr><th scope="row">${t('quality.delay')}</th><td>–</td>${cell('unit.ms', figures?.delay)}</tr>
          <tr><th scope="row">${t('quality.rtt')}</th>${cell('unit.ms', figures?.rtt, 0, 2)}</tr>
        </tbody>
      </table>
    </wa-popover>
  `;
}

const cell = (unit, value, digits = 0, span = 1) =>
  html`<td colspan=${span}>${value === null || value === undefined ? t('quality.unknown') : t(unit, { n: value.toFixed(digits) })}</td>`;
