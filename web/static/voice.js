// The agent's voice in practice: opens the microphone, follows devices that come and go, restores a broken media
// connection, lets go of sound the browser holds back, and measures the line while a call lasts.

import { Devices } from './devices.js';
import { t } from './i18n.js';
import { Media } from './media.js';
import { INTERVAL_MS, QualityWatch, merge } from './quality.js';
import { ringPlayer, testPlayer, unlock } from './sound.js';

const RENEW_MS = [0, 1000, 2000, 4000, 8000]; // between attempts to restore audio; the last goes on

export class Voice {
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

  async start() {
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
    if (this.media.state === 'failed' && this.#bench.owns && !this.#bench.signingIn) this.renew();
    this.#bench.changed();
  }

  /** A new offer in place of the broken connection, again and again until it holds. */
  async renew() {
    if (this.#attempts) return;
    const bench = this.#bench;
    bench.journal.note('log.media_failed');
    while (bench.owns) {
      const wait = RENEW_MS[Math.min(this.#attempts++, RENEW_MS.length - 1)];
      bench.changed();
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!bench.owns || !bench.live || bench.signingIn) continue;
      try {
        if (!this.media.microphoneLive && !(await this.openMicrophone())) continue;
        await this.media.connect(async (sdp) => (await bench.connection.request('agent.media', { sdp })).sdp);
      } catch {
        continue; // shown as long as it lasts
      }
      if (await this.#settled()) break;
    }
    this.#attempts = 0;
    if (bench.owns) bench.journal.note('log.media_back');
    bench.changed();
  }

  /** Whether the newest connection holds, once that is known. */
  #settled() {
    if (this.media.state !== 'connecting') return this.media.state === 'connected';
    return new Promise((resolve) => {
      const look = () => {
        if (this.media.state === 'connecting') return;
        this.media.removeEventListener('state', look);
        resolve(this.media.state === 'connected');
      };
      this.media.addEventListener('state', look);
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
