// Starts the administration: who is here, and what an administrator sees to. It has no websocket and no voice.

import { html, nothing } from './vendor/lit/lit/index.js';
import { logIn, logOut, whoAmI } from './api.js';
import { suggestLanguage, t, useZone } from './i18n.js';
import { icon } from './kit.js';
import './views/login.js';
import { languageButton } from './views/parts.js';
import { View } from './views/view.js';
import './views/webhooks.js';

class Admin extends View {
  #me; // undefined: not known yet; null: nobody
  #notice = null;

  async firstUpdated() {
    try {
      this.#enter(await whoAmI());
    } catch (error) {
      this.#leave(error.status === 401 ? null : { key: error.status ? 'login.failed' : 'login.network', values: { status: error.status } });
    }
  }

  #enter(me) {
    this.#me = me;
    suggestLanguage(me.language);
    useZone(me.time_zone);
    this.requestUpdate();
  }

  #leave(notice) {
    this.#me = null;
    this.#notice = notice;
    this.requestUpdate();
  }

  #logIn = async (agent, password) => {
    await logIn(agent, password);
    this.#enter(await whoAmI());
  };

  async #logOut() {
    await logOut().catch(() => {}); // the cookie may be gone already; the page leaves in any case
    this.#leave(null);
  }

  render() {
    if (this.#me === undefined) return nothing;
    if (this.#me === null) return html`<cb-login .logIn=${this.#logIn} .notice=${this.#notice}></cb-login>`;
    return html`
      <header class="bar">
        <div class="brand"><img src="/static/icon.svg" alt="" width="24" height="24" /><h1>Cordboard</h1></div>
        <span class="where">${t('admin.title')}</span>
        <div class="bar-buttons">
          <a class="button quiet" href="/" title=${t('admin.workbench')}>${icon('headphones')}<span>${t('admin.workbench')}</span></a>
          ${languageButton()}
          <span class="me" title=${this.#me.agent}>${icon('user')}<span>${this.#me.name}</span></span>
          <button type="button" class="button quiet" title=${t('logout.button')} @click=${() => this.#logOut()}>
            ${icon('log-out')}<span>${t('logout.button')}</span>
          </button>
        </div>
      </header>
      <main class="admin">
        ${this.#me.role === 'administrator'
          ? html`<cb-webhooks @expired=${() => this.#leave({ key: 'login.expired' })}></cb-webhooks>`
          : html`<p class="panel refused" role="alert">${icon('circle-alert')}<span>${t('admin.refused')}</span></p>`}
      </main>
    `;
  }
}

if (!document.documentElement.dataset.unfit) {
  document.documentElement.dataset.started = 'yes';
  customElements.define('cb-admin', Admin);
}
