// Starts the page: the views, the keys, the workbench. Nothing here where check.js has found a reason not to.

import { html } from './vendor/lit/lit/index.js';
import { bench } from './bench.js';
import './kit.js';
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
import './views/chooser.js';
import './views/desk.js';
import { pressed } from './views/keys.js';
import { View } from './views/view.js';

const logIn = (agent, password) => bench.logIn(agent, password);

class App extends View {
  render() {
    if (bench.phase === 'login') return html`<cb-login .logIn=${logIn} .notice=${bench.loginNotice}></cb-login>`;
    return bench.phase === 'desk' ? html`<cb-desk></cb-desk>` : html``;
  }
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
