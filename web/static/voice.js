// The agent's voice in practice: opens the microphone, follows devices that come and go, restores a broken media
// connection, lets go of sound the browser holds back, and measures the line while a call lasts.
//
// A connection by which nothing comes any more, though the switch sends always, has lost its way: the network changed, or
// the access point died. It is given another first, by another point where one answers, and renewed where that is in vain.

import { Devices } from './devices.js';
import { t } from './i18n.js';
import { Media } from './media.js';
import { INTERVAL_MS, QualityWatch, merge } from './quality.js';
import { ringPlayer, testPlayer, unlock } from './sound.js';

const RENEW_MS = [0, 1000, 2000, 4000, 8000]; // between attempts to restore audio; the last goes on
const SETTLE_MS = 10000; // of one attempt
const MOVED_MS = 3000; // ... to give the connection another way
const LISTEN_MS = 500;
const QUIET = 4; // looks in a row without a packet; of an awake page, so that a computer that slept is not misjudged
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
  #heard = { peer: null, packets: 0, quiet: 0, point: null };

  constructor(bench) {
    this.#bench = bench;
    this.media.addEventListener('state', () => this.#moved());
    this.media.addEventListener('blocked', () => this.#holdSound());
    this.media.addEventListener('microphone', () => this.#microphoneEnded());
    bench.points.addEventListener('choose', () => this.#choose());
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
    setInterval(() => this.#listen(), LISTEN_MS);
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
    return this.media.state === 'connected' && desk.media !== 'failed' && desk.awayUntil === null && !this.#isQuiet;
  }

  get #isQuiet() {
    return this.#heard.peer === this.media.peer && this.#heard.quiet >= QUIET;
  }

  async #listen() {
    const { peer } = this.media;
    if (!this.#bench.owns || peer?.connectionState === undefined || this.media.state !== 'connected') {
      this.#heard = { peer: null, packets: 0, quiet: 0, point: null };
      return;
    }
    const { packets, from } = await this.media.look();
    if (peer !== this.media.peer) return;
    const point = from && this.#bench.points.at(from.address, from.port);
    const quiet = peer === this.#heard.peer && packets === this.#heard.packets ? this.#heard.quiet + 1 : 0;
    const moved = point?.id !== this.#heard.point?.id || quiet >= QUIET !== this.#isQuiet;
    this.#heard = { peer, packets, quiet, point };
    if (this.#isQuiet && this.#bench.owns && this.#bench.live) this.renew();
    if (moved) this.#bench.changed();
  }

  /** The access point by which the voice goes, {id, name}; null where there is none yet. */
  get point() {
    return this.#heard.point;
  }

  /** Another access point was chosen. */
  async #choose() {
    const { owns, points, seat } = this.#bench;
    if (!owns || this.renewing || seat.signingIn || this.media.state !== 'connected' || points.pick() === this.point?.id) return;
    try {
      if (!(await seat.move())) await seat.renew();
    } catch {
      return; // the link went, or the page did: what comes next picks again
    }
    this.#bench.changed();
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
        if (this.point && bench.desk.media !== 'failed') bench.points.lost(this.point.id);
        const moved = this.#attempts === 1 && (await bench.seat.move());
        if (!moved) await bench.seat.renew();
        await this.#settled(moved ? MOVED_MS : SETTLE_MS);
      } catch {
        continue; // shown as long as it lasts
      }
    }
    this.#attempts = 0;
    if (bench.owns && this.#well) {
      const point = bench.points.list.length > 1 ? this.point : null;
      bench.journal.note(point ? 'log.media_back.by' : 'log.media_back', { point: point?.name });
    }
    bench.changed();
  }

  /** Until it is known of the newest connection whether it holds. */
  #settled(patience) {
    const bench = this.#bench;
    return new Promise((resolve) => {
      const look = () => {
        if (bench.owns && bench.live && !this.#well && this.media.state !== 'failed') return;
        clearTimeout(timer);
        bench.removeEventListener('change', look);
        resolve();
      };
      const timer = setTimeout(resolve, patience);
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
