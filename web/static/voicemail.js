// When this agent looked at the voicemail of its queues last, so that what was left since shows. Kept in the browser, for
// each agent: what has been seen to is the switch's to know, what has been looked at is not.

const KEY = 'cordboard.voicemail.';

/** Whether a message was left for a queue since that agent looked: `queues` as the desk knows them. */
export const unseen = (queues, agent) => queues.some(({ message_at: at }) => (at ?? 0) > looked(agent));

export const looked = (agent) => Number(localStorage.getItem(KEY + agent)) || 0;

/** That agent looks at the messages of `queues` now. */
export function look(queues, agent) {
  const newest = Math.max(looked(agent), ...queues.map(({ message_at: at }) => at ?? 0));
  localStorage.setItem(KEY + agent, String(newest));
}
