// Who wrote something, and when, in words.

import { bench } from '../bench.js';
import { dayName, minute, t } from '../i18n.js';

/** Today 14:03. */
export const when = (at) => `${dayName(at, bench.now())} ${minute(at)}`;

/** Who wrote a field last, and when; nothing of one that nobody wrote. */
export const writer = ({ version, name, agent, at }) => (version ? t('paper.by', { agent: name || agent, time: when(at) }) : '');
