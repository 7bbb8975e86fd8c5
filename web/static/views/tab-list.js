// A list of tabs: arrows, Home and End go along it, as in every tab list (WAI-ARIA Authoring Practices).

import { html, nothing } from '../vendor/lit/lit/index.js';
import { icon } from '../kit.js';

const MANY = 9; // more are so many
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * `tabs`: name -> {symbol, text}, and a `count` for the eye where there is something; `prefix` begins the ids of tabs and
 * panels; `choose(name)` shows a tab, and resolves when it is drawn.
 */
export function tabList({ label, prefix, tabs, chosen, choose }) {
  const names = Object.keys(tabs);
  const pressed = async (event) => {
    const at = names.indexOf(chosen);
    const to = { Home: 0, End: names.length - 1 }[event.key] ?? (STEPS[event.key] && at + STEPS[event.key] + names.length);
    if (to === undefined) return;
    event.preventDefault();
    const list = event.currentTarget;
    await choose(names[to % names.length]);
    list.querySelector('[aria-selected=true]').focus();
  };
  return html`<div class="tab-list" role="tablist" aria-label=${label} @keydown=${pressed}>
    ${names.map(
      (name) => html`<button
        type="button"
        role="tab"
        id="${prefix}tab-${name}"
        aria-controls="${prefix}panel-${name}"
        aria-selected=${name === chosen}
        tabindex=${name === chosen ? 0 : -1}
        @click=${() => choose(name)}
      >
        ${icon(tabs[name].symbol)}<span>${tabs[name].text}</span>${tabs[name].count
          ? html`<span class="count" aria-hidden="true">${tabs[name].count > MANY ? `${MANY}+` : tabs[name].count}</span>`
          : nothing}
      </button>`,
    )}
  </div>`;
}
