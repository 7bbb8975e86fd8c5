// What the switch says of this agent: a frozen value that only a snapshot makes and only events change. Pure.
//
// The page never guesses: what a click wants shows when the event comes. Events carry a revision; those up to the
// snapshot's are already in it and are dropped. The state and the call have events of their own, in either order.

/** @returns the desk of a snapshot reply. */
export function fromSnapshot(reply) {
  return Object.freeze({
    rev: reply.rev,
    agent: reply.agent,
    name: reply.name,
    state: reply.state,
    reason: reply.reason,
    since: reply.since,
    until: reply.until ?? null, // of after-call work that is over by itself: when
    fromBreak: reply.from_break ?? false, // after-call work of a call that began on break
    owner: reply.by_mobile ? 'mobile' : reply.owner, // "this", "other", "none"; "mobile": no page, and every one may speak for it
    mobile: reply.mobile ?? '', // its number, where one is known
    media: reply.media,
    offered: reply.offered ?? null,
    connected: reply.connected ?? null,
    parties: reply.parties ?? null, // who is in that call, and how
    over: null, // why the last one who was asked into it is not in it, until that is dismissed or another is asked
    dialling: reply.dialling ?? null, // while a call of ours is on its way
    leg: reply.leg ?? '',
    awayUntil: reply.away_until ?? null, // in a call whose agent cannot be heard: until when the caller waits for it
    sound: reply.sound ?? null, // in a call: whose sound does not get through
    testingUntil: reply.testing_until ?? null, // while the agent hears itself
    queues: reply.queues ?? [],
    transferQueues: reply.transfer_queues ?? [], // all there are: {queue, name}
    numbers: reply.numbers ?? [], // those of ours that calls may show
    outcome: reply.last ? ended(reply.last, reply.last.ended) : null, // what became of the last offer or call: {kind, ...}, shown until the next one
    quality: null, // the switch's last report of this agent's voice
  });
}

/** The desk of a new snapshot, with what a page that drew `before` still shows and no snapshot tells. */
export function afterSnapshot(before, desk) {
  if (before?.state !== desk.state) return desk;
  const over = before.over?.call === desk.connected?.call && !desk.parties?.second ? before.over : null;
  return Object.freeze({ ...desk, over, outcome: before.outcome ?? desk.outcome });
}

const named = ({ call, number, name, queue_name }) => ({ call, number, name, queue_name });

/** A call that was, as `outcome`: of what was known of it and how it ended. */
const ended = (call, at, { by, cause } = call) => ({ kind: 'ended', by, cause, length: at - call.since, direction: call.direction ?? 'inbound', ...named(call) });

const NOBODY = { parties: null, over: null };

const changes = {
  'agent.state': (desk, { state, reason, since, until, from_break: fromBreak, by_mobile: byMobile }) => ({
    state,
    reason,
    since,
    until: until ?? null,
    fromBreak: fromBreak ?? false,
    owner: byMobile ? 'mobile' : state === 'signed_out' || desk.owner === 'mobile' ? 'none' : desk.owner,
    media: state === 'signed_out' || byMobile ? 'none' : desk.media,
    awayUntil: state === 'talking' ? desk.awayUntil : null,
    sound: state === 'talking' ? desk.sound : null,
    ...(state === 'talking' ? {} : NOBODY),
  }),
  'call.offered': (_, event) => ({ offered: event, outcome: null }),
  'call.withdrawn': (desk, { call, reason }) =>
    desk.offered?.call === call
      ? { offered: null, outcome: { kind: 'withdrawn', reason, number: desk.offered.number } }
      : {},
  'call.connected': (desk, event) => ({
    connected: event,
    offered: null,
    dialling: null,
    outcome: null,
    quality: null,
    sound: null,
    parties: desk.parties?.call === event.call ? desk.parties : null,
    over: null,
  }),
  'call.parties': (desk, event) => ({ parties: event, over: event.second ? null : desk.over }),
  'call.second_over': (desk, event) => (desk.connected?.call === event.call ? { over: event } : {}),
  'call.dialling': (desk, event) => ({ dialling: event, outcome: desk.dialling ? desk.outcome : null, paperwork: desk.dialling ? desk.paperwork : desk.outcome }),
  'call.failed': (desk, { call, why, status, number }) =>
    desk.dialling?.call === call
      ? { dialling: null, paperwork: null, outcome: desk.paperwork?.kind === 'ended' ? { ...desk.paperwork, failed: { why, status, number } } : { kind: 'failed', why, status, number } }
      : {},
  'call.muted': (desk, { call, muted }) =>
    desk.connected?.call === call ? { connected: { ...desk.connected, muted } } : {},
  'call.away': (desk, { call, until }) => (desk.connected?.call === call ? { awayUntil: until } : {}),
  'call.back': () => ({ awayUntil: null }),
  'call.sound': (desk, event) => (desk.connected?.call === event.call ? { sound: troubles(event).length ? event : null } : {}),
  'call.ended': (desk, event, now) => {
    if (desk.connected?.call === event.call) return { connected: null, quality: null, awayUntil: null, ...NOBODY, outcome: ended(desk.connected, now, event) };
    if (desk.dialling?.call !== event.call) return {};
    // it goes on without this agent, who never talked
    return { dialling: null, paperwork: null, outcome: ended({ ...desk.dialling, name: '', queue_name: '', direction: 'outbound', since: now }, now, event) };
  },
  'agent.test_call': (_, { until }) => ({ testingUntil: until }),
  'agent.test_call_over': () => ({ testingUntil: null }),
  'media.connected': () => ({ media: 'connected' }),
  'media.failed': () => ({ media: 'failed', quality: null }),
  'media.quality': (_, event) => ({ quality: event }),
  'agent.taken_over': () => ({ owner: 'other', media: 'none' }),
  'agent.seat': ({ owner }, { taken }) => ({ owner: owner === 'mobile' ? owner : !taken ? 'none' : owner === 'this' ? owner : 'other' }),
  'agent.numbers': (_, { numbers }) => ({ numbers }),
  'queue.status': (desk, event) => ({
    queues: desk.queues.some((one) => one.queue === event.queue)
      ? desk.queues.map((one) => (one.queue === event.queue ? event : one))
      : [...desk.queues, event],
  }),
};

/** The desk after `event`, heard at `now` of the switch's clock; the same desk where the event is old or unknown. */
export function after(desk, event, now) {
  if (event.rev <= desk.rev) return desk;
  const change = changes[event.event];
  return Object.freeze({ ...desk, rev: event.rev, ...(change ? change(desk, event, now) : {}) });
}

/** Whether the switch heard speech lately, of this agent and in what it is to hear: {speaks, hears}. */
export const speech = ({ quality, connected }) => ({
  speaks: Boolean(quality?.speaks) && !connected?.muted,
  hears: Boolean(quality?.hears_speech),
});

export const speechChanged = (before, desk) => {
  const [was, is] = [speech(before), speech(desk)];
  return was.speaks !== is.speaks || was.hears !== is.hears;
};

/** The last call out, where it came to nothing and no other came after it: {why, status, number}; else null. */
export const failedCall = (outcome) => (outcome?.kind === 'failed' ? outcome : (outcome?.failed ?? null));

/** Reasons come as words; dictionaries have them as keys: "No answer" and "no_answer" are one. */
export const reasonKey = (reason) => String(reason ?? '').trim().toLowerCase().replace(/[\s-]+/g, '_');

/** What does not get through, as the ends of keys: "caller_unheard", "caller_deaf" or "caller_both", "agent_deaf"; or
    "silent", where only nothing comes. */
export function troubles({ caller_heard, caller_hears, agent_hears, caller_silent_since }) {
  const told = {
    caller_both: !caller_heard && !caller_hears,
    caller_unheard: !caller_heard && caller_hears,
    caller_deaf: caller_heard && !caller_hears,
    agent_deaf: !agent_hears,
  };
  const found = Object.keys(told).filter((name) => told[name]);
  return found.length || caller_silent_since === null ? found : ['silent'];
}

/** Whether this page may speak for the agent: it has the seat, or nobody has, because calls ring on the mobile. */
export const speaks = (desk) => desk.owner === 'this' || desk.owner === 'mobile';

const may = (...states) => (desk) => desk.owner === 'this' && states.includes(desk.state);
const mayToo = (...states) => (desk) => speaks(desk) && states.includes(desk.state);

/** Which commands mean something now. */
export const can = {
  signIn: (desk) => desk.state === 'signed_out' || desk.owner === 'none',
  signOut: mayToo('idle', 'ringing', 'after_call_work', 'break', 'mobile_answer'),
  idle: (desk) => may('break')(desk) || (desk.owner === 'mobile' && mayToo('after_call_work', 'mobile_answer')(desk)),
  break: mayToo('idle', 'ringing', 'after_call_work', 'mobile_answer'),
  mobile: (desk) => desk.owner !== 'other' && ['signed_out', 'idle', 'break', 'after_call_work', 'mobile_answer'].includes(desk.state),
  answer: (desk) => may('ringing')(desk) && desk.offered !== null,
  decline: (desk) => mayToo('ringing')(desk) && desk.offered !== null,
  hangUp: (desk) => mayToo('talking')(desk) && (desk.connected ?? desk.dialling) !== null,
  mute: (desk) => mayToo('talking')(desk) && desk.connected !== null,
  dial: may('idle', 'break', 'after_call_work'),
  startAnswering: mayToo('after_call_work'),
  testCall: may('idle', 'after_call_work', 'break'),
};
