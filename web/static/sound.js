// Everything audible that is not the caller, and every level: the ring, the test sound, meters of what goes in and out.
//
// One AudioContext for all. Browsers hold it back until a person has clicked or typed in the page, so `unlock` is called
// from such handlers. What it plays goes through an <audio> element, because only elements can choose their device in
// every browser.

const RATE = 48000;
const FLOOR_DB = -60; // what a meter shows as silence

let context = null;

function audio() {
  context ??= new AudioContext({ sampleRate: RATE, latencyHint: 'interactive' });
  return context;
}

/** To be called from a click or key: from then on sound may start by itself. */
export function unlock() {
  if (audio().state === 'suspended') audio().resume();
}

export const blocked = () => context?.state === 'suspended' && !navigator.userActivation?.hasBeenActive;

// --- levels ---------------------------------------------------------------------------------------------------

/** The level of a stream in dBFS, from the floor of -60 to 0. */
export class Level {
  #source;
  #analyser;
  #samples;

  constructor(stream) {
    this.#source = audio().createMediaStreamSource(stream);
    this.#analyser = audio().createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(1024);
    this.#source.connect(this.#analyser);
    if (audio().state === 'suspended') audio().resume();
  }

  read() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let power = 0;
    for (const sample of this.#samples) power += sample * sample;
    return Math.max(FLOOR_DB, 10 * Math.log10(power / this.#samples.length + 1e-12));
  }

  close() {
    this.#source.disconnect();
  }
}

// --- sounds that are made here ----------------------------------------------------------------------------------

/** A bell-like note added into `pcm`: its partials die away at their own pace. */
function strike(pcm, at, hertz, seconds, gain) {
  const partials = [[1, 1, 1], [2, 0.35, 0.6], [3.01, 0.12, 0.35]]; // ratio, strength, how long beside the first
  const start = Math.round(at * RATE);
  const end = Math.min(pcm.length, start + Math.round(seconds * RATE));
  for (let n = start; n < end; n++) {
    const t = (n - start) / RATE;
    const attack = Math.min(1, t / 0.008);
    let sum = 0;
    for (const [ratio, strength, hold] of partials) {
      sum += strength * Math.exp((-5 * t) / (seconds * hold)) * Math.sin(2 * Math.PI * hertz * ratio * t);
    }
    pcm[n] += gain * attack * sum;
  }
}

function buffer(seconds, draw) {
  const made = audio().createBuffer(1, Math.round(seconds * RATE), RATE);
  draw(made.getChannelData(0));
  return made;
}

/** Two rising pairs and a rest, 3 s: heard across a room, bearable a hundred times a day. */
const ringBuffer = () =>
  buffer(3, (pcm) => {
    for (const pair of [0, 0.55]) {
      strike(pcm, pair, 587.33, 0.5, 0.4);
      strike(pcm, pair + 0.16, 880, 0.8, 0.4);
    }
  });

const testBuffer = () =>
  buffer(1.6, (pcm) => {
    [523.25, 659.25, 783.99].forEach((hertz, n) => strike(pcm, n * 0.25, hertz, 0.9, 0.35));
  });

class Player {
  #element = new Audio();
  #into = null;
  #analyser = null;
  #playing = null;

  #prepare() {
    if (this.#into) return;
    this.#into = audio().createMediaStreamDestination();
    this.#analyser = audio().createAnalyser();
    this.#analyser.connect(this.#into);
    this.#element.srcObject = this.#into.stream;
  }

  async useDevice(id) {
    if (this.#element.setSinkId) await this.#element.setSinkId(id === 'default' ? '' : id);
  }

  play(sound, loop) {
    this.stop();
    this.#prepare();
    if (audio().state === 'suspended') audio().resume();
    this.#element.play().catch(() => {}); // held back by the browser: `blocked` says so to the person
    const source = audio().createBufferSource();
    source.buffer = sound;
    source.loop = loop;
    source.connect(this.#analyser);
    source.onended = () => this.#playing === source && this.stop();
    source.start();
    this.#playing = source;
  }

  /** Silent at once: the element too, for what it has buffered. */
  stop() {
    if (!this.#playing) return;
    this.#playing.onended = null;
    this.#playing.stop();
    this.#playing.disconnect();
    this.#playing = null;
    this.#element.pause();
  }

  get playing() {
    return this.#playing !== null;
  }

  /** What is audible now, in dBFS; for diagnostics. */
  level() {
    if (!this.#analyser || this.#element.paused) return -Infinity;
    const samples = new Float32Array(1024);
    this.#analyser.fftSize = 1024;
    this.#analyser.getFloatTimeDomainData(samples);
    return 10 * Math.log10(samples.reduce((sum, one) => sum + one * one, 0) / 1024 + 1e-12);
  }
}

export const ringPlayer = new Player();
export const testPlayer = new Player();
let ringSound = null;
let testSound = null;

export const ring = () => ringPlayer.play((ringSound ??= ringBuffer()), true);
export const ringOnce = () => ringPlayer.play((ringSound ??= ringBuffer()), false);
export const stopRing = () => ringPlayer.stop();
export const testTone = () => testPlayer.play((testSound ??= testBuffer()), false);
