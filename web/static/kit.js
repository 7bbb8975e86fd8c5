// The web-component kit as these pages use it: four components, local icons, and the page's language.
//
// The kit would fetch its icons from a foreign host; here every library is the one sprite beside it.

import './vendor/webawesome/components/dialog/dialog.js';
import './vendor/webawesome/components/option/option.js';
import './vendor/webawesome/components/popover/popover.js';
import './vendor/webawesome/components/select/select.js';
import './vendor/webawesome/translations/zh-cn.js';
import { registerIconLibrary } from './vendor/webawesome/components/icon/library.js';
import { html } from './vendor/lit/lit/index.js';

const SPRITE = '/static/vendor/lucide/icons.svg';
const KIT_NAMES = { xmark: 'x' };

for (const library of ['default', 'system']) {
  registerIconLibrary(library, {
    spriteSheet: true,
    resolver: (name) => `${SPRITE}#${KIT_NAMES[name] ?? name}`,
  });
}

/** An icon beside words that say the same; assistive technology skips it. */
export const icon = (name) => html`<svg class="icon" aria-hidden="true"><use href="${SPRITE}#${name}"></use></svg>`;
