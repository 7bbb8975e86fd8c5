// The workbench after login: the bar above, the phone at the left, queues and what happened beside it.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { t } from '../i18n.js';
import { icon } from '../kit.js';
import { openDialog } from './dialogs.js';
import { languageButton } from './parts.js';
import { View } from './view.js';

class Desk extends View {
  render() {
    const { desk } = bench;
    return html`
      <header class="bar">
        <div class="brand"><img src="/static/icon.svg" alt="" width="24" height="24" /><h1>Cordboard</h1></div>
        ${this.#link()}
        <div class="bar-buttons">
          ${bench.me?.role === 'administrator'
            ? html`<a class="button quiet" href="/admin" target="_blank" rel="noopener" title=${t('admin.open')}>${icon('users')}<span>${t('admin.open')}</span></a>`
            : nothing}
          <button type="button" class="button quiet" title=${t('devices.open')} @click=${() => openDialog('devices')}>${icon('headphones')}<span>${t('devices.open')}</span></button>
          <button type="button" class="button quiet" title=${t('help.open')} @click=${() => openDialog('help')}>${icon('keyboard')}<span>${t('help.open')}</span></button>
          ${languageButton()}
          <span class="me" title=${bench.me?.agent ?? nothing}>${icon('user')}<span>${bench.me?.name}</span></span>
          ${this.#logOut()}
        </div>
      </header>
      <main class="desk">
        <div class="phone">
          <cb-state></cb-state>
          ${desk?.state === 'signed_out'
            ? html`<section class="panel check" aria-labelledby="devices-title">
                <h2 id="devices-title">${t('devices.title')}</h2>
                <cb-devices></cb-devices>
              </section>`
            : html`<cb-stage></cb-stage>`}
          <cb-dial></cb-dial>
          ${this.#audio()}
        </div>
        <div class="side"><cb-queues></cb-queues><cb-tabs></cb-tabs></div>
      </main>
      <cb-notices></cb-notices>
      <cb-dialogs></cb-dialogs>
      <cb-chooser></cb-chooser>
    `;
  }

  #link() {
    const lost = bench.link === 'lost';
    const key = lost && bench.inCall ? 'link.lost.call' : `link.${bench.link}`;
    return html`<div class="link" data-link=${bench.link}>
      ${icon(lost ? 'wifi-off' : 'wifi')}
      <span role="status" aria-label=${t('link.label')}>${t(key)}</span>
      ${lost ? html`<button type="button" class="button small" @click=${() => bench.connection.retry()}>${t('link.retry')}</button>` : nothing}
    </div>`;
  }

  #logOut() {
    const signedIn = bench.owns && bench.desk.state !== 'signed_out';
    return html`<button
      type="button"
      class="button quiet"
      ?disabled=${signedIn}
      title=${signedIn ? t('logout.signed_in') : t('logout.button')}
      @click=${() => bench.logOut()}
    >
      ${icon('log-out')}<span>${t('logout.button')}</span>
    </button>`;
  }

  /** One line of fixed height: whether the voice has a way, and what is wrong where it has none. */
  #audio() {
    const { desk } = bench;
    const { media, renewing } = bench.voice;
    if (!desk || desk.state === 'signed_out' || !bench.owns) return nothing;
    const state = renewing ? 'renewing' : media.state;
    const words = bench.voice.blocked ? t('media.blocked') : t(`media.${state}`);
    const bad = bench.voice.blocked || state === 'failed' || state === 'renewing';
    const microphone = media.microphone?.getAudioTracks()[0]?.label ?? '';
    return html`<div class="audio panel" data-media=${bad ? 'bad' : state}>
      ${icon(bad ? 'triangle-alert' : 'headphones')}
      <span role="status" aria-label=${t('devices.title')}>${words}</span>
      <span class="fine">${bad && !bench.voice.blocked ? t('media.failed.text') : microphone}</span>
    </div>`;
  }
}

customElements.define('cb-desk', Desk);
