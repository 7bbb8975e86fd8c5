// A day of an agent's states: the part of it that is shown, what each state came to, and where each stands in the bar.

/** Parts of one state in one call, such as ringing and answering, are one to whoever looks at the day. */
function joined(spans) {
  const made = [];
  for (const span of spans) {
    const last = made.at(-1);
    if (last && span.call && last.call === span.call && last.state === span.state) made[made.length - 1] = { ...last, until: span.until };
    else made.push(span);
  }
  return made;
}

/** The spans of a day from `midnight` to `now`, without the time before the agent first signed in. Pure. */
export function dayOf(spans, midnight, now) {
  const cut = joined(spans)
    .map((span) => ({ ...span, since: Math.max(span.since, midnight), until: span.until ?? now, open: span.until === null }))
    .filter((span) => span.open || span.until > span.since);
  const first = cut.findIndex(({ state }) => state !== 'signed_out');
  return first < 0 ? [] : cut.slice(first);
}

/** Seconds in each state, in the order they first came. */
export function totals(day) {
  const sums = new Map();
  for (const { state, since, until } of day) sums.set(state, (sums.get(state) ?? 0) + Math.max(0, until - since));
  return [...sums].map(([state, seconds]) => ({ state, seconds }));
}

/** Of the bar: where each span begins and how wide it is, in percent. */
export function places(day) {
  if (!day.length) return [];
  const begin = day[0].since;
  const whole = Math.max(1, day.at(-1).until - begin);
  return day.map((span) => ({
    ...span,
    left: (100 * (span.since - begin)) / whole,
    width: (100 * Math.max(0, span.until - span.since)) / whole,
  }));
}
