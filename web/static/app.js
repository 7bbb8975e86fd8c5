// Starts the page: the views, the keys, the workbench. Nothing here where check.js has found a reason not to.

import { html } from './vendor/lit/lit/index.js';
import { bench } from './bench.js';
import './kit.js';
import { can } from './desk.js';
import { ringPlayer } from './sound.js';
import './views/clock.js';
import './views/meter.js';
import './views/devices.js';
import './views/login.js';
import './views/dial.js';
import './views/state.js';
import './views/stage.js';
import './views/side.js';
import './views/dialogs.js';
import './views/desk.js';
import { View } from './views/view.js';

class App extends View {
  render() {
    if (bench.phase === 'login') return html`<cb-login></cb-login>`;
    return bench.phase === 'desk' ? html`<cb-desk></cb-desk>` : html``;
  }
}

// Function keys: free in browsers, no characters, and one hand finds them without looking.
const keys = {
  F2: () => {
    if (can.answer(bench.desk)) bench.talk.answer();
    else if (can.startAnswering(bench.desk)) bench.startAnswering();
  },
  F4: () => {
    if (can.hangUp(bench.desk)) bench.talk.hangUp();
    else if (can.answer(bench.desk)) bench.talk.decline();
  },
  F8: () => can.mute(bench.desk) && bench.talk.setMuted(!bench.desk.connected.muted),
  F9: () => {
    if (bench.desk.state === 'break' && can.idle(bench.desk)) bench.setState('idle');
    else if (bench.desk.state !== 'ringing' && can.break(bench.desk)) bench.setState('break');
  },
};

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || !Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  if (!event.repeat && bench.live) keys[event.key]();
}

if (!document.documentElement.dataset.unfit) {
  document.documentElement.dataset.started = 'yes';
  customElements.define('cb-app', App);
  addEventListener('keydown', pressed);
  // For measurement and support: what a person at the console, or a test, may look at.
  window.cordboard = Object.freeze({
    get state() {
      return bench.desk;
    },
    get peer() {
      return bench.voice.media.peer;
    },
    get mic() {
      return bench.voice.media.microphone;
    },
    audio: bench.voice.media.audio,
    ring: ringPlayer,
  });
  bench.start();
}
