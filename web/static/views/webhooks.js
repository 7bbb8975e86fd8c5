// The systems that are told by webhooks: how each fares, a test of one, and what waits for it sent now.
//
// Asked for anew every few seconds while somebody looks, and after whatever is done here. What a test came to stands
// beside its system until the next one, or until it is dismissed by leaving.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { repeat } from '../vendor/lit/lit/directives/repeat.js';
import { listWebhooks, sendWaiting, testWebhook } from '../api.js';
import { dayName, minute, t } from '../i18n.js';
import { icon } from '../kit.js';
import { button, failed } from './parts.js';
import { View } from './view.js';

const LOOK_MS = 5000;

class Webhooks extends View {
  #found = null;
  #error = null;
  #timer = 0;
  #busy = new Set(); // "test crm", "send crm"
  #said = new Map(); // system -> what came of its last test
  #seen = () => !document.hidden && this.#load();

  connectedCallback() {
    super.connectedCallback();
    document.addEventListener('visibilitychange', this.#seen);
    this.#load();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#seen);
    super.disconnectedCallback();
  }

  async #load() {
    clearTimeout(this.#timer);
    try {
      this.#found = (await listWebhooks()).webhooks;
      this.#error = null;
    } catch (error) {
      if (this.#over(error)) return;
      this.#error = error;
    }
    this.requestUpdate();
    clearTimeout(this.#timer);
    if (this.isConnected && !document.hidden) this.#timer = setTimeout(() => this.#load(), LOOK_MS);
  }

  /** Whether the login is: whoever is here has to log in again, and not to try again. */
  #over({ status }) {
    return status === 401 && this.dispatchEvent(new CustomEvent('expired'));
  }

  /** One act for one system at a time; what goes wrong on the way is told where the list's own errors are. */
  async #act(name, system, act) {
    const key = `${name} ${system}`;
    this.#busy.add(key);
    this.requestUpdate();
    try {
      await act();
      this.#error = null;
    } catch (error) {
      if (this.#over(error)) return;
      this.#error = error;
    }
    this.#busy.delete(key);
    if (!this.#error) await this.#load();
    this.requestUpdate();
  }

  #test = (system) =>
    this.#act('test', system, async () => {
      this.#said.delete(system);
      this.#said.set(system, await testWebhook(system));
    });

  #send = (system) => this.#act('send', system, () => sendWaiting(system));

  render() {
    return html`<section class="panel systems" aria-labelledby="systems-title">
      <h2 id="systems-title">${t('systems.title')}</h2>
      <p class="fine">${t('systems.text')}</p>
      ${this.#error ? failed(this.#error, t('systems.error'), () => this.#load()) : nothing}
      ${this.#found === null
        ? this.#error ? nothing : html`<p class="empty" role="status">${t('systems.loading')}</p>`
        : this.#found.length
          ? html`<ul aria-labelledby="systems-title">${repeat(this.#found, ({ id }) => id, this.#system)}</ul>`
          : html`<p class="empty">${t('systems.none')}</p>`}
    </section>`;
  }

  #system = (one) => html`<li aria-label=${one.id} data-stands=${stands(one)}>
    <div class="system">
      <h3>${one.id}</h3>
      <p class="address">${one.url}</p>
      <p class="fine">
        ${t('systems.told', { events: one.events.map((event) => t(`systems.event.${event.replace('.', '_')}`)).join(t('why.and')) })}
        ${t(one.signed ? 'systems.signed' : 'systems.unsigned')}
      </p>
    </div>
    <div class="fares">
      <p class="stands">${icon({ well: 'circle-check', waits: 'hourglass', fails: 'triangle-alert', quiet: 'info' }[stands(one)])}<span>${fares(one)}</span></p>
      ${one.given_up ? html`<p class="lost">${icon('circle-alert')}<span>${t('systems.given_up', { count: one.given_up })}</span></p>` : nothing}
      <p class="said" role="status">${this.#came(one.id)}</p>
    </div>
    <div class="acts">
      ${button('systems.test', { kind: 'small', busy: this.#busy.has(`test ${one.id}`), act: () => this.#test(one.id) })}
      ${button('systems.send', { kind: 'small', enabled: one.waiting > 0, busy: this.#busy.has(`send ${one.id}`), act: () => this.#send(one.id) })}
    </div>
  </li>`;

  #came(system) {
    if (this.#busy.has(`test ${system}`)) return t('systems.testing');
    const said = this.#said.get(system);
    if (!said) return nothing;
    if (said.taken) return t('systems.test.taken', { status: said.status });
    return said.status ? t('systems.test.refused', { status: said.status }) : t('systems.test.failed', { trouble: said.trouble });
  }
}

/** Which of four a system is in: nothing was ever for it, all was taken, something waits, or its last try failed. */
const stands = ({ waiting, trouble, taken }) => (trouble ? 'fails' : waiting ? 'waits' : taken === null ? 'quiet' : 'well');

/** 14:03, with its day where that is not today. */
function when(at) {
  const now = Date.now() / 1000;
  const day = dayName(at, now);
  return day === dayName(now, now) ? minute(at) : `${day} ${minute(at)}`;
}

function fares(one) {
  switch (stands(one)) {
    case 'fails':
      return t('systems.fails', { count: one.waiting, since: when(one.oldest), trouble: one.trouble, due: when(one.due) });
    case 'waits':
      return t('systems.waits', { count: one.waiting });
    case 'well':
      return t('systems.well', { time: when(one.taken) });
    default:
      return t('systems.quiet');
  }
}

customElements.define('cb-webhooks', Webhooks);
