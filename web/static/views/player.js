// The player of one recording: the waveform of both sides, drawn from the stored peaks; the sound comes in ranges of
// the file once it is played, and nothing of it before. Of a message nobody but its caller is in it (`alone`). A call that
// rings silences it.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { peaksOf, recordingOf } from '../api.js';
import { bench } from '../bench.js';
import { hasText, length, t } from '../i18n.js';
import { icon } from '../kit.js';
import { failed } from './parts.js';
import { View } from './view.js';

const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
const STEPS_S = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30 };
const LANE_PX = 46;
// Full scale is 127; a recording in which nobody is louder than this is not blown up to the height of the lane.
const QUIET = 24;
const BUSY = new Set(['ringing', 'talking']);
const SOUNDLESS = new Set(['none', 'withheld']); // nothing is made that could be waited for

/** Peaks as the waveform takes them, 0 to 1; both sides by one measure, so that the louder one looks louder. */
export function drawable({ channels }) {
  const top = Math.max(QUIET, ...channels.map((channel) => channel.reduce((most, peak) => Math.max(most, peak), 0)));
  return channels.map((channel) => channel.map((peak) => peak / top));
}

/** The words for why a recording was lost. */
function lostText(reason) {
  const key = `lost.${reason.startsWith('it could not be encoded') ? 'could_not_be_encoded' : reason.replaceAll(' ', '_')}`;
  return t('player.lost', { reason: hasText(key) ? t(key) : reason });
}

class Player extends View {
  static properties = { call: {}, sound: {}, held: {}, alone: { type: Boolean } };

  #wave = null;
  #audio = null;
  #error = null;
  #loading = false;
  #drawn = ''; // the call whose waveform is there
  #speed = 1;
  #position = ''; // in words
  #state = '';
  #dark = matchMedia('(prefers-color-scheme: dark)');
  #recolour = () => this.#wave?.setOptions(this.#colours());
  #moved = () => {
    const { state } = bench.desk ?? {};
    if (state !== this.#state && BUSY.has(state)) this.#audio?.pause();
    this.#state = state;
  };

  connectedCallback() {
    super.connectedCallback();
    this.#state = bench.desk?.state;
    bench.addEventListener('change', this.#moved);
    this.#dark.addEventListener('change', this.#recolour);
  }

  disconnectedCallback() {
    bench.removeEventListener('change', this.#moved);
    this.#dark.removeEventListener('change', this.#recolour);
    this.#end();
    super.disconnectedCallback();
  }

  willUpdate(changed) {
    if (changed.has('call')) this.#end();
  }

  updated() {
    if (this.sound.state === 'ready' && this.#drawn !== this.call && !this.#loading && !this.#error) this.#load();
  }

  #end() {
    this.#wave?.destroy();
    this.#audio?.pause();
    this.#audio?.removeAttribute('src');
    this.#wave = this.#audio = this.#error = null;
    this.#drawn = '';
  }

  async #load() {
    const { call } = this;
    this.#loading = true;
    this.#error = null;
    this.requestUpdate();
    try {
      const [{ default: WaveSurfer }, peaks] = await Promise.all([
        import('../vendor/wavesurfer/wavesurfer.js'),
        peaksOf(call),
      ]);
      if (call === this.call && this.isConnected) this.#draw(WaveSurfer, peaks);
    } catch (error) {
      if (call === this.call) this.#error = error;
    }
    this.#loading = false;
    this.requestUpdate();
  }

  #draw(WaveSurfer, peaks) {
    this.#audio = new Audio();
    this.#audio.preload = 'none'; // who only looks at a call does not listen to it, and the audit says who listens
    this.#audio.addEventListener('error', () => this.#fail());
    for (const name of ['play', 'pause', 'ended']) this.#audio.addEventListener(name, () => this.requestUpdate());
    this.#wave = WaveSurfer.create({
      container: this.querySelector('.wave'),
      media: this.#audio,
      url: recordingOf(this.call),
      peaks: drawable(peaks).slice(0, this.alone ? 1 : 2),
      duration: peaks.seconds,
      cursorWidth: 2,
      barWidth: 2,
      barGap: 1,
      barRadius: 1,
      dragToSeek: { debounceTime: 0 },
      hideScrollbar: true,
      ...this.#colours(),
    });
    this.#wave.on('timeupdate', () => this.#tell());
    this.#drawn = this.call;
    this.#tell();
  }

  /** The lanes: customer above, agent below. */
  #colours() {
    const style = getComputedStyle(this);
    const value = (name) => style.getPropertyValue(name).trim();
    const lane = (name) => ({
      waveColor: `color-mix(in srgb, ${value(name)} 42%, ${value('--panel')})`,
      progressColor: value(name),
      height: LANE_PX,
    });
    return { cursorColor: value('--ink'), splitChannels: [lane('--blue'), lane('--green')] };
  }

  #fail() {
    if (!this.#audio?.getAttribute('src')) return; // let go of, not failed
    this.#wave?.destroy();
    this.#wave = this.#audio = null;
    this.#drawn = '';
    this.#error = new Error('the sound cannot be had');
    this.requestUpdate();
  }

  /** The position in words and for assistive technology, touched only when its second changes. */
  #tell() {
    const slider = this.querySelector('.wave');
    const at = this.#wave.getCurrentTime();
    if (!slider || slider.ariaValueNow === String(Math.floor(at))) return;
    slider.ariaValueNow = String(Math.floor(at));
    slider.ariaValueText = t('player.at', { at: length(at), whole: length(this.sound.seconds) });
    this.#position = `${length(at)} / ${length(this.sound.seconds)}`;
    this.querySelector('.position').textContent = this.#position;
  }

  async #toggle() {
    if (!this.#wave) return;
    if (!this.#audio.paused) {
      this.#audio.pause();
      return;
    }
    try {
      const { devices } = bench.voice;
      if (devices.canRoute) await this.#audio.setSinkId(devices.id('speaker') === 'default' ? '' : devices.id('speaker'));
      this.#audio.playbackRate = this.#speed;
      await this.#wave.play();
    } catch (error) {
      if (error.name !== 'AbortError' && this.#audio) this.#fail();
    }
  }

  #pressed(event) {
    if (!this.#wave || event.ctrlKey || event.altKey || event.metaKey) return;
    const whole = this.sound.seconds;
    const to = { Home: 0, End: whole }[event.key] ?? (STEPS_S[event.key] && this.#wave.getCurrentTime() + STEPS_S[event.key]);
    if (event.key === ' ') this.#toggle();
    else if (to === undefined) return;
    else this.#wave.setTime(Math.max(0, Math.min(whole, to)));
    event.preventDefault();
    this.#tell();
  }

  #choose(event) {
    this.#speed = Number(event.target.value);
    if (this.#audio) this.#audio.playbackRate = this.#speed;
  }

  render() {
    return html`<section class="player" aria-label=${t('player.title')} ?data-alone=${this.alone}>${this.#content()}</section>`;
  }

  /** A time that the customer was held: nothing is in the recording of it. */
  #hold({ from, until }) {
    const { seconds } = this.sound;
    return html`<span class="held-span" style="inset-inline-start:${(100 * from) / seconds}%;inline-size:${(100 * (until - from)) / seconds}%">
      ${icon('pause')}<span class="unseen">${t('player.held', { from: length(from), until: length(until) })}</span>
    </span>`;
  }

  #content() {
    const { state, reason } = this.sound;
    if (state === 'lost') return html`<p class="empty">${icon('circle-alert')} ${lostText(reason)}</p>`;
    if (state !== 'ready') return html`<p class="empty" role="status">${icon(SOUNDLESS.has(state) ? 'info' : 'mic')} ${t(`player.${state}`)}</p>`;
    if (this.#error) return failed(this.#error, t('player.error'), () => this.#load());
    const playing = this.#audio && !this.#audio.paused;
    return html`
      ${reason ? html`<p class="empty">${icon('circle-alert')} ${t('player.short')}</p>` : nothing}
      <div class="lanes" aria-hidden="true"><span data-lane="customer">${t('player.customer')}</span>${this.alone ? nothing : html`<span data-lane="agent">${t('player.agent')}</span>`}</div>
      <div class="wave-box">
        ${this.#wave ? this.held.map((span) => this.#hold(span)) : nothing}
        <div
          class="wave"
          role="slider"
          tabindex="0"
          aria-label=${t('player.position')}
          aria-valuemin="0"
          aria-valuemax=${Math.floor(this.sound.seconds)}
          @keydown=${(event) => this.#pressed(event)}
        ></div>
      </div>
      <div class="player-bar">
        <button type="button" class="button primary" ?disabled=${!this.#wave} @click=${() => this.#toggle()}>
          ${icon(playing ? 'pause' : 'play')}<span>${t(playing ? 'player.pause' : 'player.play')}</span>
        </button>
        <span class="position time" .textContent=${this.#wave ? this.#position : t('player.loading')}></span>
        <label class="speed">${t('player.speed')}
          <select @change=${(event) => this.#choose(event)}>
            ${SPEEDS.map((speed) => html`<option value=${speed} ?selected=${speed === this.#speed}>${speed}×</option>`)}
          </select>
        </label>
      </div>
    `;
  }
}

customElements.define('cb-player', Player);
