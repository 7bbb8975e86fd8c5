// The agent's voice in practice: opens the microphone, follows devices that come and go, restores a broken media
// connection, lets go of sound the browser holds back, and measures the line while a call lasts.

import { Devices } from './devices.js';
import { t } from './i18n.js';
import { Media } from './media.js';
import { INTERVAL_MS, QualityWatch, merge } from './quality.js';
import { ringPlayer, testPlayer, unlock } from './sound.js';

const RENEW_MS = [0, 1000, 2000, 4000, 8000]; // between attempts to restore audio; the last goes on
const SETTLE_MS = 10000; // of one attempt
const UNHEARD_MS = 2000; // the switch hears nothing although the connection looks well: then it is renewed

export class Voice {
  ready = null; // resolves when the devices are known
  media = new Media();
  devices = new Devices();
  figures = null; // of the line, while a call lasts
  blocked = false; // the browser wants a click before it plays
  #bench;
  #attempts = 0; // to restore the connection; 0 while it stands
  #watch = null;

  constructor(bench) {
    this.#bench = bench;
    this.media.addEventListener('state', () => this.#moved());
    this.media.addEventListener('blocked', () => this.#holdSound());
    this.media.addEventListener('microphone', () => this.#microphoneEnded());
    this.devices.addEventListener('change', () => bench.changed());
    this.devices.addEventListener('use', ({ detail }) => this.#use(detail.what));
    this.devices.addEventListener('moved', ({ detail }) => this.#deviceMoved(detail));
  }

  start() {
    this.ready = this.#start();
    return this.ready;
  }

  async #start() {
    await this.devices.start();
    for (const what of ['speaker', 'ring']) this.#use(what);
    setInterval(() => this.#measure(), INTERVAL_MS);
  }

  get renewing() {
    return this.#attempts > 0;
  }

  /** Opens the chosen microphone, or the default where that is gone; says why where neither can be had. */
  async openMicrophone() {
    try {
      await this.media.openMicrophone(this.devices.id('microphone'));
    } catch (error) {
      this.#bench.journal.microphone(error.name);
      return false;
    } finally {
      await this.devices.refresh(); // names are there only after permission
    }
    return true;
  }

  async #microphoneEnded() {
    await this.devices.refresh();
    if (!this.media.microphoneLive && this.media.microphone) await this.openMicrophone();
  }

  async #use(what) {
    try {
      if (what === 'speaker') {
        await this.media.useSpeaker(this.devices.id('speaker'));
        await testPlayer.useDevice(this.devices.id('speaker'));
      } else if (what === 'ring') {
        await ringPlayer.useDevice(this.devices.id('ring'));
      } else if (this.media.microphone) {
        await this.openMicrophone();
      }
    } catch (error) {
      // gone since the list was made: the next list says so, and to whom it fell
      if (error.name !== 'NotFoundError' && error.name !== 'AbortError') throw error;
    }
  }

  #deviceMoved({ what, name, now, back }) {
    const { journal } = this.#bench;
    if (back) journal.warn('devices.back', { name }, 'info');
    else journal.warn(`devices.lost.${what}`, { name, now: now || t('devices.default') });
  }

  #holdSound() {
    if (this.blocked) return;
    this.blocked = true;
    this.#bench.changed();
    const release = async () => {
      unlock();
      if (!(await this.media.play())) return;
      this.blocked = false;
      removeEventListener('pointerdown', release, true);
      removeEventListener('keydown', release, true);
      this.#bench.changed();
    };
    addEventListener('pointerdown', release, true);
    addEventListener('keydown', release, true);
  }

  #moved() {
    if (this.media.state === 'failed' && this.#bench.owns && !this.#bench.seat.signingIn) this.renew();
    this.#bench.changed();
  }

  /** Whether the voice has a way, as both sides see it. */
  get #well() {
    const { desk } = this.#bench;
    return this.media.state === 'connected' && desk.media !== 'failed' && desk.awayUntil === null;
  }

  /** The switch no longer hears this page. */
  unheard() {
    setTimeout(() => this.#bench.owns && !this.#well && this.renew(), UNHEARD_MS);
  }

  /** A new connection in place of the broken one, again and again until it holds; where the link goes, that brings it. */
  async renew() {
    if (this.#attempts) return;
    const bench = this.#bench;
    bench.journal.note('log.media_failed');
    const going = () => bench.owns && bench.live && !this.#well;
    while (going()) {
      const wait = RENEW_MS[Math.min(this.#attempts++, RENEW_MS.length - 1)];
      bench.changed();
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!going() || bench.seat.signingIn) continue;
      try {
        if (!this.media.microphoneLive && !(await this.openMicrophone())) continue;
        await bench.seat.renew();
      } catch {
        continue; // shown as long as it lasts
      }
      await this.#settled();
    }
    this.#attempts = 0;
    if (bench.owns && this.#well) bench.journal.note('log.media_back');
    bench.changed();
  }

  /** Until it is known of the newest connection whether it holds. */
  #settled() {
    const bench = this.#bench;
    return new Promise((resolve) => {
      const look = () => {
        if (bench.owns && bench.live && !this.#well && this.media.state !== 'failed') return;
        clearTimeout(timer);
        bench.removeEventListener('change', look);
        resolve();
      };
      const timer = setTimeout(resolve, SETTLE_MS);
      bench.addEventListener('change', look);
      look();
    });
  }

  async #measure() {
    const bench = this.#bench;
    const { peer } = this.media;
    if (!bench.inCall || !peer) {
      this.#watch = null;
      this.figures = null;
      return;
    }
    if (this.#watch?.peer !== peer) this.#watch = { peer, quality: new QualityWatch(peer, performance.now()) };
    const figures = await this.#watch.quality.measure(performance.now());
    if (!bench.inCall) return;
    this.figures = merge(figures, bench.desk.quality);
    bench.changed();
  }
}
