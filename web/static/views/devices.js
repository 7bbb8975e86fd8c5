// Headset and sound: which devices, whether the microphone may be used and is heard, and what to do where it is not; and
// by which access point the voice goes.
// Drawn in the page before sign-in and in a dialog at any time.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can } from '../desk.js';
import { askForNotifications, notificationPermission } from '../alerts.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { ringOnce, ringPlayer, testTone, unlock } from '../sound.js';
import { AUTOMATIC } from '../points.js';
import { button } from './parts.js';
import { View } from './view.js';

class DevicesView extends View {
  #trial = false; // the microphone was opened here, only to look at its level

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#endTrial();
    if (this.#testing) bench.testCall(false);
  }

  get #testing() {
    return bench.owns && bench.desk.testingUntil !== null;
  }

  async #try() {
    unlock();
    this.#trial = await bench.voice.openMicrophone();
  }

  #endTrial() {
    if (this.#trial && bench.voice.media.state === 'none' && !bench.pending.has('agent.sign_in')) bench.voice.media.closeMicrophone();
    this.#trial = false;
  }

  #picker(what, extra = nothing) {
    const { devices } = bench.voice;
    const list = devices.list(what);
    const unroutable = what !== 'microphone' && !devices.canRoute;
    const choice = devices.id(what);
    return html`<div class="picker" ?data-alone=${extra === nothing}>
      <wa-select
        size="s"
        label=${t(`devices.${what}`)}
        .value=${choice}
        ?disabled=${unroutable}
        @change=${(event) => devices.choose(what, event.target.value)}
      >
        <wa-option value="default">${t('devices.default')}</wa-option>
        ${list.map(({ id, label }, n) => html`<wa-option value=${id}>${label || t('devices.unnamed', { n: n + 1 })}</wa-option>`)}
      </wa-select>
      ${extra}
    </div>`;
  }

  #microphone() {
    const { permission } = bench.voice.devices;
    const open = bench.voice.media.microphoneLive;
    if (open) {
      return html`<div class="level">
        <span aria-hidden="true">${t('devices.level')}</span>
        <cb-meter .label=${t('devices.level')} .stream=${bench.voice.media.microphone}></cb-meter>
      </div>`;
    }
    if (permission === 'denied') return html`<p class="told bad">${icon('circle-alert')}<span>${t('devices.denied')}</span></p>`;
    return html`<div class="told">
      <button type="button" class="button small" @click=${() => this.#try()}>${icon('mic')}<span>${t('devices.try')}</span></button>
      <span>${permission === 'granted' ? t('devices.allowed') : t('devices.prompt')}</span>
    </div>`;
  }

  /** The way there and back, by the switch: an agent who hears itself can be heard. */
  #testCall() {
    const { desk, voice } = bench;
    if (!desk || desk.state === 'signed_out') return html`<p class="told">${icon('phone-call')}<span>${t('devices.test_call.later')}</span></p>`;
    if (!this.#testing) {
      return html`<div class="told">
        ${button('devices.test_call', {
          symbol: 'phone-call',
          kind: 'small',
          enabled: bench.live && can.testCall(desk) && voice.media.state === 'connected',
          busy: bench.pending.has('agent.test_call'),
          act: () => bench.testCall(true),
        })}
        <span>${t('devices.test_call.text')}</span>
      </div>`;
    }
    return html`<div class="testing">
      <div class="told">
        ${button('devices.test_call.stop', {
          symbol: 'phone-off',
          kind: 'small',
          busy: bench.pending.has('agent.test_call'),
          act: () => bench.testCall(false),
        })}
        <span role="status"
          ><strong>${t('devices.test_call.speak')}</strong>
          <cb-clock .words=${'devices.test_call.left'} .until=${desk.testingUntil}></cb-clock
        ></span>
      </div>
      <div class="level">
        <span aria-hidden="true">${t('devices.test_call.level')}</span>
        <cb-meter .label=${t('devices.test_call.level')} .stream=${voice.media.remote}></cb-meter>
      </div>
    </div>`;
  }

  #points() {
    const { list, choice } = bench.points;
    if (!list.length) return nothing;
    const chosen = list.some(({ id }) => id === choice) ? choice : AUTOMATIC;
    return html`<section class="points" aria-labelledby="points-title">
      <h3 id="points-title">${t('points.title')}</h3>
      <ul role="list" aria-labelledby="points-title">
        ${this.#point({ id: AUTOMATIC, name: t('points.automatic') }, chosen, html`<span class="fine">${t('points.automatic.text')}</span>`)}
        ${list.map((point) => this.#point(point, chosen, this.#roundTrip(point)))}
      </ul>
      <p class="fine">${t('points.text')}</p>
    </section>`;
  }

  #point({ id, name }, chosen, beside) {
    const used = id !== AUTOMATIC && bench.owns && id === bench.voice.point?.id;
    return html`<li ?data-used=${used}>
      <label>
        <input type="radio" name="access-point" .checked=${id === chosen} @change=${() => bench.points.choose(id)} />
        <span>${name}</span>
      </label>
      ${used ? html`<span class="used">${t('points.in_use')}</span>` : nothing} ${beside}
    </li>`;
  }

  #roundTrip({ rtt, unreachable }) {
    if (unreachable) return html`<span class="rtt bad">${icon('wifi-off')}${t('points.unreachable')}</span>`;
    if (rtt === null) return html`<span class="rtt">${t('points.measuring')}</span>`;
    const ms = Math.round(rtt);
    return html`<span class="rtt">${ms ? t('points.rtt', { ms }) : t('points.rtt.least')}</span>`;
  }

  #notifications() {
    const permission = notificationPermission();
    if (permission !== 'default') {
      return html`<p class="told">${icon(permission === 'granted' ? 'bell' : 'bell-off')}<span>${t(`devices.notify.${permission}`)}</span></p>`;
    }
    return html`<div class="told">
      <button type="button" class="button small" @click=${() => askForNotifications().then(() => this.requestUpdate())}>
        ${icon('bell')}<span>${t('devices.notify.allow')}</span>
      </button>
      <span>${t('devices.notify.default')}</span>
    </div>`;
  }

  render() {
    const small = (key, symbol, act) => html`<button type="button" class="button small" title=${t(key)} aria-label=${t(key)} @click=${act}>
      ${icon(symbol)}
    </button>`;
    const ringing = bench.desk?.state === 'ringing';
    return html`<div class="devices">
      ${this.#picker('microphone')} ${this.#microphone()}
      ${this.#picker('speaker', small('devices.test', 'volume-2', testTone))}
      ${this.#picker('ring', small('devices.test_ring', 'bell', () => !ringing && !ringPlayer.playing && ringOnce()))}
      ${bench.voice.devices.canRoute ? nothing : html`<p class="told">${icon('info')}<span>${t('devices.no_sink')}</span></p>`}
      ${this.#points()} ${this.#testCall()} ${this.#notifications()}
    </div>`;
  }
}

customElements.define('cb-devices', DevicesView);
