// Microphone, speaker and ring device: what there is, what was chosen, and what is used while the chosen one is gone.
//
// Choices stay in the browser's storage and are kept when a headset is unplugged: the system's default serves meanwhile,
// and when the headset is back it is used again. Each such change is said (`changed` with kind, from, to, back).

const KEY = 'cordboard.devices';
export const KINDS = { microphone: 'audioinput', speaker: 'audiooutput', ring: 'audiooutput' };

export class Devices extends EventTarget {
  #found = [];
  #chosen = { microphone: 'default', speaker: 'default', ring: 'default' };
  #names = {}; // of the chosen devices, to be able to name one that is gone
  #using = {};
  permission = 'prompt'; // of the microphone: granted, prompt, denied
  canRoute = typeof HTMLMediaElement.prototype.setSinkId === 'function';

  constructor() {
    super();
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    Object.assign(this.#chosen, kept.chosen);
    Object.assign(this.#names, kept.names);
    for (const what of Object.keys(KINDS)) this.#using[what] = { id: this.#chosen[what], label: '' };
  }

  async start() {
    navigator.mediaDevices.addEventListener('devicechange', () => this.refresh());
    try {
      const status = await navigator.permissions.query({ name: 'microphone' });
      this.permission = status.state;
      status.onchange = () => {
        this.permission = status.state;
        this.refresh();
      };
    } catch {
      this.permission = 'prompt'; // a browser that cannot tell asks when it comes to it
    }
    await this.refresh();
  }

  /** Looks what is plugged in now; says what that changed. */
  async refresh() {
    this.#found = await navigator.mediaDevices.enumerateDevices();
    if (this.#labelled) {
      for (const what of Object.keys(KINDS)) this.#settle(what);
    }
    this.dispatchEvent(new Event('change'));
  }

  /** The devices of a kind for a picker: [{id, label}]; the system's default is not among them. */
  list(what) {
    return this.#found
      .filter(({ kind, deviceId }) => kind === KINDS[what] && deviceId && deviceId !== 'default' && deviceId !== 'communications')
      .map(({ deviceId, label }) => ({ id: deviceId, label: label.replace(/ \([0-9a-f]{4}:[0-9a-f]{4}\)$/, '') }));
  }

  choice(what) {
    return this.#chosen[what];
  }

  /** The id to use now: the chosen one, or "default" while that is gone. */
  id(what) {
    return this.#using[what].id;
  }

  choose(what, id) {
    this.#chosen[what] = id;
    this.#names[what] = this.list(what).find((one) => one.id === id)?.label ?? '';
    localStorage.setItem(KEY, JSON.stringify({ chosen: this.#chosen, names: this.#names }));
    this.#using[what] = { id, label: this.#defaultLabel(what, id) };
    this.dispatchEvent(new CustomEvent('use', { detail: { what } }));
    this.dispatchEvent(new Event('change'));
  }

  /** Before permission devices have no names and no ids: nothing can be said about them then. */
  get #labelled() {
    return this.#found.some(({ label }) => label);
  }

  #defaultLabel(what, id) {
    return this.#found.find(({ kind, deviceId }) => kind === KINDS[what] && deviceId === id)?.label ?? '';
  }

  #settle(what) {
    const chosen = this.#chosen[what];
    const there = chosen === 'default' || this.list(what).some(({ id }) => id === chosen);
    const id = there ? chosen : 'default';
    const was = this.#using[what];
    const label = this.#defaultLabel(what, id);
    this.#using[what] = { id, label };
    if (was.id !== id) {
      const name = this.#names[what] || was.label;
      this.dispatchEvent(new CustomEvent('moved', { detail: { what, name, now: label, back: there } }));
    } else if (id !== 'default' || !was.label || was.label === label) {
      return;
    }
    // moved, or the system chose another default: a stream opened on the old one does not follow by itself
    this.dispatchEvent(new CustomEvent('use', { detail: { what } }));
  }
}
