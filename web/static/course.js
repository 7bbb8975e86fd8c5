// The course of a call in the order it took, from its legs, offers, transfers, holds, survey and message. Pure; words are keys with values.

/** What became of an offer, where it did not lead to a conversation; one that another was quicker to take is not told. */
const LEFT = { missed: 'missed', declined: 'declined', caller_left: 'caller_left', returned: 'returned' };
// Two times of one event, the end of a leg and that of its call, may differ by less than this, in seconds.
const SAME_S = 0.5;
const RATING = /^\d$/;

const ASKED = new Set(['consult', 'three_way']);

/** Everybody of a call who has a name: agent -> name. */
const namesOf = ({ legs, offers }) => new Map([...offers.map(({ agent, name }) => [agent, name]), ...legs.map(({ party, name }) => [party, name])].filter(([, name]) => name));

/** What an offer led to; of one to whom the call was given, its giving tells, and of one that came back, why it did. */
function offered({ agent, name, offered: at, outcome, decided, purpose = 'queue' }, transfers) {
  if (purpose === 'transfer') return [];
  const who = { agent, name };
  const back = purpose === 'returned' ? [{ at, key: 'course.given.back', agent: null, why: transfers.findLast((one) => one.at <= at)?.why }] : [];
  const steps = [...back, { at, key: purpose === 'queue' ? 'course.offered' : `course.offered.${purpose}`, agent: who }];
  if (!(outcome in LEFT)) return steps;
  const key = outcome === 'returned' && ASKED.has(purpose) ? 'course.unasked' : `course.${LEFT[outcome]}`; // it is in no queue
  return [...steps, { at: decided ?? at, key, agent: who }];
}

/** One who came into the call, and left it before its end, unless it gave the call away or to the survey; who was asked in only
    answered. */
function joined({ party, name, began, ended, to = '' }, call, purpose) {
  const agent = { agent: party, name: name || to || party, number: to !== '' };
  const steps = [{ at: began, key: ASKED.has(purpose) ? 'course.answered' : 'course.joined', agent }];
  const asked = call.survey ? [{ by: call.survey.agent, at: call.survey.began }] : [];
  const gave = [...call.transfers, ...asked].some(({ by, at }) => by === party && ended !== null && Math.abs(at - ended) < SAME_S);
  const left = ended !== null && !gave && (call.ended === null || ended < call.ended - SAME_S);
  return left ? [...steps, { at: ended, key: 'course.left', agent }] : steps;
}

/** A call that was given away: to an agent, a queue or a number, as its `kind` says, or put through by the other
    side; or that its queue did not keep, for a `cause`. */
function given({ kind, by, at, agent, queue_name: queue, to, cause = '', outcome, why }, names) {
  const whom = { agent: names.get(agent) ?? agent, mobile: names.get(agent) ?? agent, queue, number: to, referred: to }[kind];
  const who = by ? { agent: by, name: names.get(by) ?? by } : null; // the other side itself
  if (!cause) return [{ at, key: `course.given.${kind}`, agent: who, to: whom, number: to !== '' }];
  const sent = { at, key: `course.sent_on.${cause.replaceAll(' ', '_')}`, agent: null, to: whom, number: to !== '' };
  return outcome === 'failed' ? [sent, { at, key: 'course.given.back', agent: null, why }] : [sent];
}

/** [{at, key, agent, seconds, rating, to, why}]: what happened when, to which agent ({agent, name}, or null), how long it had
    lasted, which key the customer pressed, to whom the call was given, and why nobody took it. The end is not in it. */
export function course(call) {
  const outbound = call.direction === 'outbound';
  const steps = outbound ? [] : [{ at: call.began, key: call.queue ? 'course.came.queue' : 'course.came', agent: null }];
  const names = namesOf(call);
  for (const offer of call.offers) {
    const dialled = outbound && (offer.purpose ?? 'queue') === 'queue';
    if (dialled) steps.push({ at: offer.offered, key: 'course.dialled', agent: { agent: offer.agent, name: offer.name } });
    else if (offer.outcome !== 'answered_elsewhere') steps.push(...offered(offer, call.transfers));
  }
  for (const leg of call.legs.filter(({ party }) => party !== 'caller')) {
    const offer = call.offers.find(({ agent, decided }) => agent === leg.party && decided !== null && Math.abs(decided - leg.began) < SAME_S);
    steps.push(...joined(leg, call, offer?.purpose ?? (names.has(leg.party) ? 'queue' : 'consult')));
  }
  for (const one of call.transfers) steps.push(...given(one, names));
  for (const { began, ended } of call.holds) {
    steps.push({ at: began, key: 'course.held', agent: null });
    if (ended !== null && (call.ended === null || ended < call.ended - SAME_S)) steps.push({ at: ended, key: 'course.retrieved', agent: null, seconds: ended - began });
  }
  if (call.survey) {
    const { agent, began, outcome } = call.survey;
    const key = !outcome ? 'course.survey' : RATING.test(outcome) ? 'course.survey.rated' : `course.survey.${outcome}`;
    steps.push({ at: began, key, agent: { agent, name: names.get(agent) ?? agent }, rating: outcome });
  }
  if (call.message) steps.push({ at: call.message.began, key: 'course.message', agent: null, to: call.message.queue_name });
  return steps.map((step, n) => ({ ...step, n })).sort((one, other) => one.at - other.at || one.n - other.n);
}

/** How long it waited before somebody answered, it was asked for a message or it ended, in seconds; null while it waits. */
export function waited({ began, answered, ended, message }) {
  const until = answered ?? message?.began ?? ended;
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
