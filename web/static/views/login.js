// The login form of every page. Plain inputs, so that password managers know them. `logIn` is what the page does with
// them, `notice` what there is to say before.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { HttpError } from '../api.js';
import { t } from '../i18n.js';
import { languageButton } from './parts.js';
import { View } from './view.js';

class Login extends View {
  static properties = { logIn: {}, notice: {} };

  #problem = null;
  #waitUntil = 0;
  #busy = false;

  get #wait() {
    return Math.ceil((this.#waitUntil - performance.now()) / 1000);
  }

  #tick = () => {
    this.requestUpdate();
    if (this.#wait > 0) setTimeout(this.#tick, 1000);
    else this.#problem = null;
  };

  async #submit(event) {
    event.preventDefault();
    if (this.#busy || this.#wait > 0) return;
    const form = event.target;
    this.#busy = true;
    this.#problem = null;
    this.requestUpdate();
    try {
      await this.logIn(form.agent.value.trim(), form.password.value);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      this.#problem = this.#told(error);
      form.password.select();
    } finally {
      this.#busy = false;
      this.requestUpdate();
    }
  }

  #told({ status, retryAfter }) {
    if (status === 0) return () => t('login.network');
    if (status === 401) return () => t('login.wrong');
    if (status !== 429) return () => t('login.failed', { status });
    this.#waitUntil = performance.now() + 1000 * (retryAfter || 30);
    this.#tick();
    return () => t('login.wait', { seconds: Math.max(1, this.#wait) });
  }

  firstUpdated() {
    this.querySelector('input').focus();
  }

  render() {
    const { notice } = this;
    const words = this.#problem?.() ?? (notice ? t(notice.key, notice.values) : '');
    return html`
      <main class="login">
        <form class="panel login-form" @submit=${this.#submit} aria-busy=${this.#busy}>
          <div class="brand"><img src="/static/icon.svg" alt="" width="36" height="36" /><h1>Cordboard</h1></div>
          <label class="field">
            <span>${t('login.agent')}</span>
            <input name="agent" autocomplete="username" autocapitalize="off" spellcheck="false" required />
          </label>
          <label class="field">
            <span>${t('login.password')}</span>
            <input name="password" type="password" autocomplete="current-password" required />
          </label>
          <p class="problem" role="alert">${words || nothing}</p>
          <button class="button primary large" ?disabled=${this.#wait > 0}>
            ${this.#busy ? t('login.busy') : t('login.button')}
          </button>
        </form>
        <footer>${languageButton()}</footer>
      </main>
    `;
  }
}

customElements.define('cb-login', Login);
