// The course of a call in the order it took, from its legs, offers, holds and survey. Pure; words are keys with values.

/** What became of an offer, where it did not lead to a conversation; one that another was quicker to take is not told. */
const LEFT = { missed: 'missed', declined: 'declined', caller_left: 'caller_left', returned: 'returned' };
// Two times of one event, the end of a leg and that of its call, may differ by less than this, in seconds.
const SAME_S = 0.5;
const RATING = /^\d$/;

/** [{at, key, agent, seconds, rating}]: what happened when, to which agent ({agent, name}, or null), how long it had lasted,
    and which key the customer pressed. The end is not in it. */
export function course(call) {
  const outbound = call.direction === 'outbound';
  const steps = outbound ? [] : [{ at: call.began, key: call.queue ? 'course.came.queue' : 'course.came', agent: null }];
  for (const { agent, name, offered, outcome, decided } of call.offers) {
    if (outbound) steps.push({ at: offered, key: 'course.dialled', agent: { agent, name } });
    if (outbound || outcome === 'answered_elsewhere') continue;
    steps.push({ at: offered, key: 'course.offered', agent: { agent, name } });
    if (outcome in LEFT) steps.push({ at: decided ?? offered, key: `course.${LEFT[outcome]}`, agent: { agent, name } });
  }
  for (const { party, name, began, ended } of call.legs) {
    if (party === 'caller') continue;
    const agent = { agent: party, name: name || party };
    steps.push({ at: began, key: 'course.joined', agent });
    if (ended !== null && (call.ended === null || ended < call.ended - SAME_S)) steps.push({ at: ended, key: 'course.left', agent });
  }
  for (const { began, ended } of call.holds) {
    steps.push({ at: began, key: 'course.held', agent: null });
    if (ended !== null && (call.ended === null || ended < call.ended - SAME_S)) steps.push({ at: ended, key: 'course.retrieved', agent: null, seconds: ended - began });
  }
  if (call.survey) {
    const { agent, began, outcome } = call.survey;
    const name = call.legs.find(({ party }) => party === agent)?.name || agent;
    const key = !outcome ? 'course.survey' : RATING.test(outcome) ? 'course.survey.rated' : `course.survey.${outcome}`;
    steps.push({ at: began, key, agent: { agent, name }, rating: outcome });
  }
  return steps.map((step, n) => ({ ...step, n })).sort((one, other) => one.at - other.at || one.n - other.n);
}

/** How long it waited before somebody answered or it ended, in seconds; null while it waits. */
export function waited({ began, answered, ended }) {
  const until = answered ?? ended;
  return until === null ? null : until - began;
}

/** When the customer was held, in seconds of the recording, which begins with the answer: [{from, until}]; until its end
    where the hold goes on. */
export function heldSpans({ answered, holds }, seconds) {
  if (answered === null) return [];
  const within = (at) => Math.min(seconds, Math.max(0, at - answered));
  return holds.map(({ began, ended }) => ({ from: within(began), until: ended === null ? seconds : within(ended) })).filter(({ from, until }) => until > from);
}

/** For how long the customer was held in all, in seconds; `now` counts where it still is. */
export const heldSeconds = ({ holds }, now) => holds.reduce((sum, { began, ended }) => sum + (ended ?? now) - began, 0);
