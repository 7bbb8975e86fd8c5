// The page's English. The same keys as every other dictionary; {braces} are filled in. Words of the trade as in the guide.
import admin from './en/admin.js';
import call from './en/call.js';
import kept from './en/kept.js';
import page from './en/page.js';
import paper from './en/paper.js';
import told from './en/told.js';

export default { ...page, ...call, ...told, ...kept, ...paper, ...admin };
