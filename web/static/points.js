// Access points: the addresses at which the switch takes the voice, how far each is, and which one this page uses.
//
// To each a connection is kept that only measures: the switch answers its ICE checks and nothing else, over UDP at the
// very port that the voice would go to. The browser checks by itself, every 2.5 s or 5 s, and its statistics have the
// round trip. What is shown is the shortest of the last seconds, because a busy computer only ever adds to it.
//
// Says `change` when the list or the choice changed.

import { accessPoints, HttpError } from './api.js';

const KEY = 'cordboard.access_point';
export const AUTOMATIC = ''; // the lowest that is reachable; of equals the first
const LOOK_MS = 1000;
const SHOW_MS = 5000; // between two drawings of the figures
const SILENT_MS = 7500; // without an answer: unreachable, for Firefox checks every 6 s at the latest
const FIRST_MS = 800; // for the first answers, before a choice is made without them
const DIGEST = Array(32).fill('00').join(':'); // of no certificate: DTLS waits for the switch, which begins none

/** What the far side of a connection that only measures would answer to `offer`. */
function answer(offer, { ice_ufrag: ufrag, ice_pwd: pwd }, candidates) {
  const mid = /^a=mid:(.*)$/m.exec(offer)[1].trim();
  return [
    'v=0',
    'o=- 1 1 IN IP4 0.0.0.0',
    's=-',
    't=0 0',
    'a=ice-lite',
    `a=group:BUNDLE ${mid}`,
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    `a=fingerprint:sha-256 ${DIGEST}`,
    'a=setup:active',
    'a=sctp-port:5000',
    ...candidates.map(([address, port], n) => `a=candidate:${n + 1} 1 udp ${2130706431 - n} ${address} ${port} typ host`),
    'a=end-of-candidates',
    '',
  ].join('\r\n');
}

/** The way to one point. */
class Probe {
  answeredAt = -Infinity;
  #peer = new RTCPeerConnection();
  #begun;
  #answers = 0;
  #times = []; // of late: {at, ms}

  constructor(credentials, candidates, now) {
    this.#begun = now;
    this.#connect(credentials, candidates).catch(() => this.close()); // closed meanwhile, or refused: unreachable
  }

  async #connect(credentials, candidates) {
    this.#peer.createDataChannel('probe');
    await this.#peer.setLocalDescription();
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer(this.#peer.localDescription.sdp, credentials, candidates) });
  }

  get over() {
    return this.#peer.iceConnectionState === 'failed' || this.#peer.signalingState === 'closed';
  }

  async look(now) {
    if (this.over) return;
    let answers = 0;
    let seconds;
    for (const one of (await this.#peer.getStats()).values()) {
      if (one.type !== 'candidate-pair' || !one.responsesReceived) continue;
      answers += one.responsesReceived;
      if (one.nominated || seconds === undefined) seconds = one.currentRoundTripTime;
    }
    if (answers > this.#answers) {
      this.answeredAt = now;
      if (seconds !== undefined) this.#times.push({ at: now, ms: seconds * 1000 });
    }
    this.#answers = answers;
    this.#times = this.#times.filter(({ at }) => now - at < SILENT_MS);
  }

  /** Milliseconds; null where nothing answers (`unreachable`) or nothing has yet. */
  rtt(now) {
    return now - this.answeredAt < SILENT_MS && this.#times.length ? Math.min(...this.#times.map(({ ms }) => ms)) : null;
  }

  unreachable(now) {
    return this.rtt(now) === null && now - Math.max(this.#begun, this.answeredAt) >= SILENT_MS;
  }

  close() {
    this.#peer.close();
  }
}

export class Points extends EventTarget {
  list = []; // {id, name, rtt, unreachable}, as it was drawn last
  choice = localStorage.getItem(KEY) ?? AUTOMATIC;
  #known = null; // as the switch told it
  #probes = new Map();
  #died = new Map(); // when the voice was lost at a point
  #timer = 0;
  #shownAt = -Infinity;
  #askedAt = -Infinity;
  #first = Promise.resolve();
  #turn = 0; // what was asked before a stop tells nothing after it

  start() {
    this.stop();
    this.#first = this.#begin();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  stop() {
    this.#turn++;
    clearInterval(this.#timer);
    for (const probe of this.#probes.values()) probe.close();
    this.#probes.clear();
    this.#known = null;
    this.list = [];
  }

  /** Resolves when every point has answered, or shortly after the beginning. */
  measured() {
    return this.#first;
  }

  async #begin() {
    const end = performance.now() + FIRST_MS;
    await this.#ask(performance.now());
    while (performance.now() < end && this.list.some(({ rtt }) => rtt === null)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await this.#look();
    }
  }

  async #ask(now) {
    this.#askedAt = now;
    const turn = this.#turn;
    let told;
    try {
      told = await accessPoints();
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return; // what was known serves on
    }
    if (turn !== this.#turn) return;
    if (JSON.stringify(told) === JSON.stringify(this.#known)) return;
    for (const probe of this.#probes.values()) probe.close();
    this.#probes.clear();
    this.#known = told;
    for (const point of told.points) this.#probe(point, performance.now());
    this.#show(performance.now());
  }

  #probe({ id, candidates }, now) {
    this.#probes.get(id)?.close();
    this.#probes.set(id, new Probe(this.#known, candidates, now));
  }

  async #look() {
    await Promise.all([...this.#probes.values()].map((probe) => probe.look(performance.now())));
    const now = performance.now();
    const list = this.#measured(now);
    const moved = (one, n) => one.unreachable !== this.list[n]?.unreachable || (one.rtt === null) !== (this.list[n]?.rtt === null);
    if (now - this.#shownAt >= SHOW_MS || list.some(moved)) this.#show(now);
    if (now - this.#askedAt < SHOW_MS || list.every(({ unreachable }) => !unreachable)) return;
    await this.#ask(now); // another engine has other credentials
    for (const point of this.#known?.points ?? []) if (this.#probes.get(point.id).over) this.#probe(point, performance.now());
  }

  #measured(now) {
    return (this.#known?.points ?? []).map(({ id, name }) => {
      const probe = this.#probes.get(id);
      return { id, name, rtt: probe.rtt(now), unreachable: probe.unreachable(now) };
    });
  }

  #show(now) {
    this.#shownAt = now;
    this.list = this.#measured(now);
    this.dispatchEvent(new Event('change'));
  }

  choose(id) {
    this.choice = id;
    if (id === AUTOMATIC) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, id);
    this.dispatchEvent(new Event('choose'));
    this.dispatchEvent(new Event('change'));
  }

  /** The voice was lost there: it is not used again before it has answered. */
  lost(id) {
    this.#died.set(id, performance.now());
  }

  /** Which one has that address, as {id, name}; null where none has. */
  at(address, port) {
    const known = this.#known?.points ?? [];
    return known.find(({ candidates }) => candidates.some(([host, number]) => host === address && number === port)) ?? null;
  }

  /** The one to use now: the chosen one, or the nearest where that is not there; empty where none has answered: all. */
  pick() {
    const now = performance.now();
    const alive = this.#measured(now).filter(({ id }) => this.#probes.get(id).answeredAt > (this.#died.get(id) ?? -Infinity));
    const there = alive.filter(({ rtt }) => rtt !== null).sort((one, two) => Math.round(one.rtt) - Math.round(two.rtt));
    const chosen = alive.find(({ id, unreachable }) => id === this.choice && (!unreachable || !there.length));
    return (chosen ?? there[0] ?? { id: AUTOMATIC }).id;
  }
}
