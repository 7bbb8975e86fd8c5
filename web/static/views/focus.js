// The focus of a button that cannot be pressed for a moment, or is gone. A browser takes it from both, and a keyboard would
// begin anew at the top of the page: who muted by a key could not unmute by the same.

const BACK_MS = 2000; // after that, who was there is somewhere else in mind

/** The focus is left at the call, where no key does anything. */
export const toStage = () => document.querySelector('.stage')?.focus();

const nowhere = () => document.activeElement === document.body || document.activeElement === null;

export class Focus {
  #host;
  #frame;
  #lost = null; // {button, frame, at}

  /** @param host the view with the buttons; @param frame what they are of: the buttons of another one are not the same. */
  constructor(host, frame = () => '') {
    this.#host = host;
    this.#frame = frame;
    host.addController(this);
  }

  hostUpdate() {
    const { activeElement } = document;
    if (this.#host.contains(activeElement)) this.#lost = { button: activeElement, frame: this.#frame(), at: performance.now() };
    else if (!nowhere()) this.#lost = null; // it was taken elsewhere
  }

  /** It is given back as soon as the button can be pressed; one that is gone leaves it to the call, and never to the button
      that took its place. */
  hostUpdated() {
    if (!this.#lost) return;
    const { button, frame, at } = this.#lost;
    const gone = !button.isConnected || frame !== this.#frame();
    if (!gone && button.disabled && performance.now() - at < BACK_MS) return;
    this.#lost = null;
    if (gone && (nowhere() || document.activeElement === button)) toStage();
    else if (!button.disabled && nowhere()) button.focus();
  }
}
