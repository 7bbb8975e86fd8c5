// The agent's seat: how this page comes to carry the audio, goes on with it after a lost link or a reload, and loses it.
//
// The switch names every media connection (`leg`). A page whose link broke while its connection lives takes its seat again
// by that name, and nothing audible happens. A page that was loaded anew makes a new connection at once, where nobody
// carries the audio or where the last one of this browser did: a Web Lock tells whether that tab still lives, because it
// ends with its page, however that ends. Everything else is asked of the person.

import { askForNotifications } from './alerts.js';
import { Refusal } from './connection.js';
import { unlock } from './sound.js';

const LOCK = 'cordboard.seat';
const KEY = 'cordboard.leg';
const HAND_OVER_MS = 5000; // where another page took over, for how long its connection is waited for

/** Whether no living page of this browser has the seat. */
const alone = async () => !(await navigator.locks.query()).held.some(({ name }) => name === LOCK);

const linkFailed = (error) => error.code === 'disconnected' || error.code === 'timeout';

export class Seat {
  dialog = null; // null, "ask" (sign-in found another page) or "taken" (another page took over)
  signingIn = false;
  #bench;
  #leg = ''; // the connection that this page made last
  #loaded = true; // and has not yet found out whether the seat is its own
  #release = () => {}; // the lock
  #leaving = 0;

  constructor(bench) {
    this.#bench = bench;
  }

  /** After every new link: takes the seat again, where that needs no question. */
  async comeBack() {
    const bench = this.#bench;
    const { state, leg, owner } = bench.desk;
    if (state === 'signed_out' || owner === 'mobile') this.leave();
    else if (!(await this.#resumed())) {
      if (await this.#isMine(leg, owner)) await this.#takeAgain(owner === 'other');
      else {
        if (this.#leg) this.dialog = 'taken'; // while this page had no link
        this.leave();
      }
    }
    if (bench.live) this.#loaded = false;
  }

  async #isMine(leg, owner) {
    if (this.#leg) return owner === 'none' || leg === '' || leg === this.#leg;
    if (!this.#loaded) return false; // this page watched
    return (owner === 'none' || (leg !== '' && leg === localStorage.getItem(KEY))) && (await alone());
  }

  async #takeAgain(takeOver) {
    const { media, devices } = this.#bench.voice;
    await this.#bench.voice.ready;
    if (media.microphoneLive || devices.permission === 'granted') await this.signIn(takeOver, false);
  }

  /** Whether the seat is this page's again by its living connection, or the link went before that was known. */
  async #resumed() {
    const bench = this.#bench;
    if (bench.voice.media.state !== 'connected' || bench.desk.leg !== this.#leg) return false;
    try {
      await bench.connection.request('agent.resume', { leg: this.#leg });
      bench.seated();
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code === 'timeout') bench.connection.giveUp();
      return linkFailed(error);
    }
  }

  /** @param asked by a person, who is told what stands against it. */
  async signIn(takeOver = false, asked = true) {
    const bench = this.#bench;
    const { media } = bench.voice;
    if (this.signingIn || !bench.live) return;
    this.signingIn = true;
    bench.pending.add('agent.sign_in');
    this.dialog = null;
    clearTimeout(this.#leaving);
    unlock();
    if (asked) askForNotifications();
    bench.changed();
    try {
      if (!media.microphoneLive && !(await bench.voice.openMicrophone())) return;
      this.#intoCall();
      await bench.points.measured();
      await media.connect((sdp) => this.#exchange('agent.sign_in', { sdp, take_over: takeOver }));
      await bench.takeSnapshot();
    } catch (error) {
      this.#refused(error, asked);
    } finally {
      this.signingIn = false;
      bench.pending.delete('agent.sign_in');
      bench.changed();
    }
  }

  /** The first packet that can go carries the voice, or the silence of one who is muted. */
  #intoCall() {
    const { desk, voice } = this.#bench;
    if (desk.state !== 'talking' || !desk.connected) return;
    voice.media.setMuted(desk.connected.muted);
    voice.media.talk();
  }

  #refused(error, asked) {
    const bench = this.#bench;
    if (!asked && linkFailed(error)) {
      if (error.code === 'timeout') bench.connection.giveUp();
      return; // the next link tries again
    }
    if (error.code === 'signed_in_elsewhere') this.dialog = asked ? 'ask' : null;
    else if (error instanceof Refusal) bench.refused(error);
    else bench.journal.warn('refusal.media_refused');
    if (!bench.owns) this.leave();
  }

  /** A new connection in place of the one that failed. */
  renew() {
    return this.#bench.voice.media.connect((sdp) => this.#exchange('agent.media', { sdp }));
  }

  /** A new way for the connection that there is; false where it cannot have one and must be renewed. */
  async move() {
    const { media } = this.#bench.voice;
    if (!this.#leg || !media.restartable) return false;
    try {
      await media.restart((sdp) => this.#exchange('agent.media', { sdp, leg: this.#leg }));
      return true;
    } catch (error) {
      if (error instanceof Refusal && !linkFailed(error)) return false;
      throw error;
    }
  }

  async #exchange(command, fields) {
    const reply = await this.#bench.connection.request(command, { ...fields, access_point: this.#bench.points.pick() });
    this.#leg = reply.leg;
    localStorage.setItem(KEY, reply.leg);
    const held = () => new Promise((release) => (this.#release = release));
    navigator.locks.request(LOCK, { steal: true }, held).catch(() => {}); // stolen by the tab that takes over
    this.#bench.seated();
    return reply.sdp;
  }

  /** Another page has the seat. In a call the voice goes this way until the other's connection is up. */
  takenOver() {
    this.dialog = 'taken';
    this.#forget();
    if (this.#bench.desk.state !== 'talking') this.leave();
    else this.#leaving = setTimeout(() => this.leave(), HAND_OVER_MS);
  }

  /** The agent's newest connection is up: where that is not this page's, this page's is of no more use. */
  connected() {
    if (!this.#bench.owns && !this.signingIn) this.leave();
  }

  /** This page carries nothing any more. */
  leave() {
    const { media } = this.#bench.voice;
    clearTimeout(this.#leaving);
    this.#forget();
    if (media.state !== 'none') media.close(); // a microphone that is only being tried stays open
  }

  #forget() {
    if (this.#leg && localStorage.getItem(KEY) === this.#leg) localStorage.removeItem(KEY);
    this.#leg = '';
    this.#release();
  }

  /** The page goes, perhaps only out of sight: the switch hears of it at once, and a page that is shown again begins anew. */
  unload() {
    this.#leg = '';
    this.#loaded = true;
    this.#release();
    this.#bench.voice.media.close();
  }
}
