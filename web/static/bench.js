// The one workbench of this page; views import it, app.js starts it.

import { Workbench } from './workbench.js';

export const bench = new Workbench();
