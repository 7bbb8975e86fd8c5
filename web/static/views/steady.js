// A button that has just come to a place takes no click for a moment: it was meant for the one that stood there before. So
// is every double click one act, wherever what follows is drawn.

export const SETTLE_MS = 400; // between the two clicks of a double click

export class Steady {
  #host;
  #places = new Map(); // place -> which button stands there, and since when

  /** @param host the view that draws the places. */
  constructor(host) {
    this.#host = host;
  }

  /** Whether the button `name`, which is drawn at `place` now, has stood there for long enough. */
  stands(place, name) {
    const now = performance.now();
    const before = this.#places.get(place);
    if (before?.name === name) return now - before.since >= SETTLE_MS;
    this.#places.set(place, { name, since: now });
    setTimeout(() => this.#host.requestUpdate(), SETTLE_MS + 5);
    return false;
  }
}
