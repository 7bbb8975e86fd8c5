// How good the line is, in figures and in one word, from the browser's own statistics and the switch's reports.
//
// Thresholds are those at which G.711 and Opus speech begins to be noticed as disturbed (ITU-T G.107 and G.114 as a guide:
// concealed loss, play-out delay from jitter, conversational delay from the round trip).

const GOOD = { loss: 1, jitter: 30, rtt: 250 };
const FAIR = { loss: 5, jitter: 60, rtt: 500 };
export const INTERVAL_MS = 2000;
const SILENT_MS = 4000; // no packet for two intervals: not loss but nothing at all

export class QualityWatch {
  #peer;
  #before = null;
  #heardAt;

  constructor(peer, now) {
    this.#peer = peer;
    this.#heardAt = now;
  }

  /** Figures since the last call, null where unknown: {heard: {loss, jitter}, spoken: {loss, jitter}, rtt, silent}. */
  async measure(now) {
    const figures = { heard: { loss: null, jitter: null }, spoken: { loss: null, jitter: null }, rtt: null, silent: false };
    const stats = await this.#peer.getStats();
    let received = 0;
    for (const one of stats.values()) {
      if (one.type === 'inbound-rtp' && one.kind === 'audio') {
        received += one.packetsReceived;
        figures.heard.jitter = one.jitter * 1000;
        const total = one.packetsReceived + one.packetsLost;
        if (this.#before) {
          const expected = total - this.#before.total;
          const lost = Math.max(0, one.packetsLost - this.#before.lost);
          figures.heard.loss = expected > 0 ? (100 * lost) / expected : null;
          if (one.packetsReceived > this.#before.received) this.#heardAt = now;
        }
        this.#before = { total, lost: one.packetsLost, received: one.packetsReceived };
      } else if (one.type === 'remote-inbound-rtp' && one.kind === 'audio') {
        figures.spoken.loss = 100 * (one.fractionLost ?? 0);
        figures.spoken.jitter = (one.jitter ?? 0) * 1000;
        figures.rtt ??= one.roundTripTime === undefined ? null : one.roundTripTime * 1000;
      } else if (one.type === 'candidate-pair' && one.nominated && one.currentRoundTripTime !== undefined) {
        figures.rtt = one.currentRoundTripTime * 1000;
      }
    }
    figures.silent = now - this.#heardAt >= SILENT_MS;
    return figures;
  }
}

/** The switch's report is the truth about what it hears; the browser's figures serve where there is none. */
export function merge(figures, report) {
  if (!report) return figures;
  const { heard } = figures;
  return {
    ...figures,
    heard: { loss: heard.loss ?? report.far_loss_percent ?? null, jitter: heard.jitter ?? report.far_jitter_ms ?? null },
    spoken: { loss: report.loss_percent, jitter: report.jitter_ms },
    delay: report.delay_ms,
    rtt: figures.rtt ?? report.rtt_ms ?? null,
  };
}

/** "measuring", "silent", "good", "fair" or "poor". */
export function word(figures) {
  if (!figures) return 'measuring';
  if (figures.silent) return 'silent';
  const { heard, spoken, rtt } = figures;
  const known = [heard.loss, spoken.loss, heard.jitter, spoken.jitter, rtt].some((one) => one !== null);
  if (!known) return 'measuring';
  const within = (limit) =>
    Math.max(heard.loss ?? 0, spoken.loss ?? 0) <= limit.loss &&
    Math.max(heard.jitter ?? 0, spoken.jitter ?? 0) <= limit.jitter &&
    (rtt ?? 0) <= limit.rtt;
  if (within(GOOD)) return 'good';
  return within(FAIR) ? 'fair' : 'poor';
}
