// A live level: <cb-meter label="…" .stream=${stream}>. It draws fifteen times a second, and only while it is visible.

import { Level } from '../sound.js';

const FRAME_MS = 66;
const SPEAK_MS = 1000; // how often the value for assistive technology changes
const FLOOR_DB = -60;
const FALL = 0.82; // of the bar per frame: quick up, calm down

class Meter extends HTMLElement {
  #stream = null;
  #level = null;
  #timer = 0;
  #shown = 0;
  #spokenAt = 0;

  set stream(stream) {
    if (stream === this.#stream) return;
    this.#stream = stream;
    this.#restart();
  }

  set label(text) {
    this.setAttribute('aria-label', text);
  }

  connectedCallback() {
    this.setAttribute('role', 'meter');
    this.setAttribute('aria-valuemin', String(FLOOR_DB));
    this.setAttribute('aria-valuemax', '0');
    if (!this.firstChild) this.append(document.createElement('span'));
    this.#restart();
  }

  disconnectedCallback() {
    this.#stop();
  }

  #stop() {
    clearInterval(this.#timer);
    this.#level?.close();
    this.#level = null;
  }

  #restart() {
    this.#stop();
    this.#shown = 0;
    this.#draw(FLOOR_DB);
    if (!this.isConnected || !this.#stream) return;
    this.#level = new Level(this.#stream);
    this.#timer = setInterval(() => !document.hidden && this.#draw(this.#level.read()), FRAME_MS);
  }

  #draw(decibels) {
    const part = Math.max(0, 1 - decibels / FLOOR_DB);
    this.#shown = Math.max(part, this.#shown * FALL);
    this.style.setProperty('--level', this.#shown.toFixed(3));
    const now = performance.now();
    if (now - this.#spokenAt < SPEAK_MS && this.hasAttribute('aria-valuenow')) return;
    this.#spokenAt = now;
    this.setAttribute('aria-valuenow', String(Math.round(decibels)));
    this.setAttribute('aria-valuetext', `${Math.round(decibels)} dB`);
  }
}

customElements.define('cb-meter', Meter);
