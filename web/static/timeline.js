// How a call sounded, as charts and as sentences, from what the switch kept of each of its parties. Pure; words are keys
// with values.

// A score below which speech is noticed as disturbed, and one below which many are annoyed (ITU-T G.107 Annex B: R 80, 70).
const GOOD = 4;
const FAIR = 3.6;
const LEAST_LOSS = 10; // percent: the scale is at least so high, so that a single lost packet does not look like many
const GAP_S = 1; // between two points: less is rounding

/** "good", "fair" or "poor", or "unknown" where there is no score. */
export const wordOf = (mos) => (mos === null ? 'unknown' : mos >= GOOD ? 'good' : mos >= FAIR ? 'fair' : 'poor');

/**
 * The columns of a chart: times, then what came from the party and what went to it as scores, then the loss of either,
 * whichever was more. A point lasts until the next one; where none follows at once, a column of nulls ends it.
 */
export function columns(track) {
  const [at, from, to, lost] = [[], [], [], []];
  track.at.forEach((begin, n) => {
    const [gone, farGone] = [track.loss_percent[n], track.far_loss_percent[n]];
    at.push(begin);
    from.push(track.mos[n]);
    to.push(track.far_mos[n]);
    lost.push(gone === null && farGone === null ? null : Math.max(gone ?? 0, farGone ?? 0));
    const end = begin + track.seconds[n];
    if (n + 1 < track.at.length && track.at[n + 1] - end < GAP_S) return;
    at.push(end);
    for (const column of [from, to, lost]) column.push(null);
  });
  return [at, from, to, lost];
}

/** How high the scale of the loss is, in percent. */
export const mostLoss = ([, , , lost]) => Math.max(LEAST_LOSS, ...lost.filter((one) => one !== null));

/** One way of a track as a whole: {word, mos, worst: {at, mos, loss} or null}; the worst is told where it was not good. */
function whole(track, scores, losses) {
  let sum = 0;
  let seconds = 0;
  let worst = null;
  scores.forEach((mos, n) => {
    if (mos === null) return;
    sum += mos * track.seconds[n];
    seconds += track.seconds[n];
    if (worst === null || mos < worst.mos) worst = { at: track.at[n], mos, loss: losses[n] ?? 0 };
  });
  if (!seconds) return { word: 'unknown', mos: null, worst: null };
  const mos = Math.round((10 * sum) / seconds) / 10; // as it is shown
  return { word: wordOf(mos), mos, worst: worst.mos < GOOD ? worst : null };
}

/** Both ways: `from` the party to the switch, and `to` it. */
export const summary = (track) => ({
  from: whole(track, track.mos, track.loss_percent),
  to: whole(track, track.far_mos, track.far_loss_percent),
});

/** When sound went one way: [{party, name, way: "from" or "to", begin, end}], `end` null where it did to the end. */
export function silences(ways) {
  const found = [];
  const open = new Map();
  for (const { party, name, at, comes, goes } of ways) {
    for (const [way, well] of [['from', comes], ['to', goes]]) {
      const key = `${way} ${party}`;
      const since = open.get(key);
      if (!well && !since) {
        open.set(key, { party, name, way, begin: at, end: null });
        found.push(open.get(key));
      } else if (well && since) {
        since.end = at;
        open.delete(key);
      }
    }
  }
  return found;
}
