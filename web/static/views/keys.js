// The keys that work anywhere in the page. Function keys: free in browsers, no characters, and one hand finds them without
// looking. Each means the first of its acts that means something now. None acts behind an open dialog, which has the keys,
// save the one of the agent's own voice: whoever looks for a colleague may have to cough.

import { bench } from '../bench.js';
import { can } from '../desk.js';
import { may } from '../parties.js';
import { ACTS } from './controls.js';
import { SETTLE_MS } from './steady.js';

/** act -> whether it means something, and what it does. */
const MEANINGS = {
  answer: [can.answer, () => bench.talk.answer()],
  decline: [can.answer, () => bench.talk.decline()],
  hang_up: [can.hangUp, () => bench.talk.hangUp()],
  mute: [can.mute, () => bench.talk.setMuted(!bench.desk.connected.muted)],
  start_answering: [can.startAnswering, () => bench.startAnswering()],
  idle: [can.idle, () => bench.setState('idle')],
  break: [(desk) => desk.state !== 'ringing' && can.break(desk), () => bench.setState('break')],
  ...Object.fromEntries(Object.entries(ACTS).map(([name, [, , , act]]) => [name, [may[name], act]])),
};

export const KEYS = {
  F2: ['answer', 'complete', 'start_answering'],
  F3: ['transfer'],
  F4: ['hang_up', 'decline'],
  F6: ['consult'],
  F7: ['hold', 'retrieve', 'swap'],
  F8: ['mute'],
  F9: ['cancel', 'idle', 'break'],
  F10: ['invite', 'merge'],
};

/** Whether a dialog lies over what the keys are for; one that goes is open for a moment yet, and has nothing in it. */
const covered = () => document.querySelector('wa-dialog[open] > *') !== null;

let last = { key: '', name: '', at: -Infinity };

/** A key pressed twice at once is one act: what its first press has led to does not take the second. */
export function pressed(event) {
  const { key } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || !Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  if (event.repeat || !bench.live) return;
  const name = KEYS[key].find((one) => MEANINGS[one][0](bench.desk));
  if (name !== 'mute' && covered()) return;
  const at = performance.now();
  if (!name || (key === last.key && name !== last.name && at - last.at < SETTLE_MS)) return;
  last = { key, name, at };
  MEANINGS[name][1]();
}
