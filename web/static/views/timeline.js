// How one call sounded: a chart for the line of each party, over the whole call, and the same in sentences. The charts
// are drawn when the page has measured its place, and again where that, the language or the colours change.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { qualityOf } from '../api.js';
import { bench } from '../bench.js';
import { clock, language, minute, t } from '../i18n.js';
import { icon } from '../kit.js';
import { columns, mostLoss, silences, summary, wordOf } from '../timeline.js';
import { failed } from './parts.js';
import { View } from './view.js';

const HEIGHT_PX = 130;
const SCORES = [1, 4.5];
const LEFT_PX = 30; // of the axes: both charts begin and end at the same place
const RIGHT_PX = 46;
const TO = 2; // the series of what went to the party
const LONG_S = 600; // a call longer than this has minutes at its axis

/** Who it is: an agent, or somebody outside. */
const called = ({ party, name }) => name || (party === 'outside' ? t('timeline.outside') : party);

class CallQuality extends View {
  static properties = { whole: {} };

  #found = null;
  #error = null;
  #asked = '';
  #charts = [];
  #drawn = '';
  #width = 0;
  #dark = matchMedia('(prefers-color-scheme: dark)');
  #redraw = () => this.requestUpdate();
  #watch = new ResizeObserver(([{ contentRect }]) => {
    if (this.#width === Math.floor(contentRect.width)) return;
    this.#width = Math.floor(contentRect.width);
    this.requestUpdate();
  });

  connectedCallback() {
    super.connectedCallback();
    this.#dark.addEventListener('change', this.#redraw);
    this.#watch.observe(this);
  }

  disconnectedCallback() {
    this.#dark.removeEventListener('change', this.#redraw);
    this.#watch.disconnect();
    this.#clear();
    super.disconnectedCallback();
  }

  willUpdate(changed) {
    if (!changed.has('whole')) return;
    const { call, ended } = this.whole;
    if (changed.get('whole')?.call !== call) this.#found = this.#error = null;
    const asks = `${call} ${ended}`;
    if (ended !== null && asks === this.#asked && this.#found) return; // over: it does not change any more
    this.#asked = asks;
    this.#load();
  }

  async #load() {
    const { call } = this.whole;
    try {
      const found = await qualityOf(call);
      if (call !== this.whole.call) return;
      this.#found = found;
      this.#error = null;
    } catch (error) {
      if (call !== this.whole.call) return;
      this.#error = error;
    }
    this.requestUpdate();
  }

  #clear() {
    for (const chart of this.#charts.splice(0)) chart.destroy();
    this.#drawn = '';
  }

  /** Draws what is not drawn as it should be. */
  async updated() {
    const { tracks } = this.#found ?? { tracks: [] };
    const points = tracks.map(({ at }) => at.length).join();
    const wanted = `${this.#asked} ${points} ${this.#width} ${language()} ${this.#dark.matches}`;
    if (!tracks.length || !this.#width || wanted === this.#drawn) return;
    this.#drawn = wanted;
    const { default: UPlot } = await import('../vendor/uplot/uplot.js');
    if (wanted !== this.#drawn || !this.isConnected) return;
    for (const chart of this.#charts.splice(0)) chart.destroy();
    const places = this.querySelectorAll('.chart');
    this.#charts = tracks.map((track, n) => new UPlot(this.#options(UPlot, track), columns(track), places[n]));
  }

  #options(UPlot, track) {
    const style = getComputedStyle(this);
    const value = (name) => style.getPropertyValue(name).trim();
    const hue = value(track.party === 'caller' ? '--blue' : '--green');
    const font = `12px ${style.fontFamily}`;
    const { began, ended } = this.whole;
    const range = [began, Math.max(ended ?? bench.now(), began + 1)];
    const time = range[1] - began > LONG_S ? minute : clock;
    const axis = { stroke: value('--ink-quiet'), font, ticks: { show: false } };
    const step = UPlot.paths.stepped({ align: 1 });
    const told = (unit, digits) => (_, one) => (one === null ? '–' : t(unit, { n: one.toFixed(digits) }));
    const score = (words, more) => ({ label: words, scale: 'mos', stroke: hue, width: 2, paths: step, points: { show: false }, value: told('timeline.score', 1), ...more });
    return {
      width: Math.floor(this.querySelector('.chart').clientWidth),
      height: HEIGHT_PX,
      padding: [8, 0, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, sync: { key: this.whole.call }, points: { show: false } },
      legend: { markers: { dash: (_, n) => (n === TO ? 'dashed' : 'solid') } },
      scales: {
        x: { time: true, range: () => range },
        mos: { range: () => SCORES },
        loss: { range: () => [0, mostLoss(columns(track))] },
      },
      axes: [
        { ...axis, size: 24, grid: { show: false }, values: (_, splits) => splits.map(time), space: 90 },
        { ...axis, scale: 'mos', size: LEFT_PX, splits: () => [1, 2, 3, 4], grid: { stroke: value('--line'), width: 1 } },
        { ...axis, scale: 'loss', side: 1, size: RIGHT_PX, grid: { show: false }, stroke: value('--red'), splits: (u) => [0, u.scales.loss.max], values: (_, splits) => splits.map((one) => t('unit.percent', { n: one.toFixed(0) })) },
      ],
      series: [
        { label: t('timeline.time'), value: (_, at) => (at === null ? '–' : clock(at)) },
        score(this.#way('from', track)),
        score(this.#way('to', track), { dash: [5, 4] }),
        {
          label: t('timeline.lost'),
          scale: 'loss',
          stroke: 'transparent',
          fill: `color-mix(in srgb, ${value('--red')} 35%, transparent)`,
          width: 0,
          paths: step,
          points: { show: false },
          value: told('unit.percent', 1),
        },
      ],
    };
  }

  /** "From the customer", "To Lin". */
  #way(way, track) {
    return t(track.party === 'caller' ? `timeline.${way}.customer` : `timeline.${way}.agent`, { agent: called(track) });
  }

  #said(way, track) {
    const { word, mos, worst } = summary(track)[way];
    return html`<li data-quality=${word}>
      ${icon(word === 'poor' ? 'triangle-alert' : word === 'unknown' ? 'info' : 'circle-check')}
      <span>
        <strong>${t('timeline.of', { way: this.#way(way, track) })}</strong>
        ${t(`timeline.${word}`)}${mos === null ? nothing : t('timeline.mean', { n: mos.toFixed(1) })}
        ${worst === null ? nothing : t('timeline.worst', { at: clock(worst.at), n: worst.mos.toFixed(1), word: t(`timeline.${wordOf(worst.mos)}`), loss: worst.loss.toFixed(0) })}
      </span>
    </li>`;
  }

  #silence({ way, begin, end, ...whose }) {
    const key = `timeline.silent.${way}.${whose.party === 'caller' ? 'customer' : 'agent'}`;
    const span = end === null ? t('timeline.span.end', { begin: clock(begin) }) : t('timeline.span', { begin: clock(begin), end: clock(end) });
    return html`<li data-quality="poor">${icon('triangle-alert')}<span><strong>${t(key, { agent: called(whose) })}</strong> ${span}</span></li>`;
  }

  render() {
    return html`<section class="timeline" aria-labelledby="timeline-title">
      <h3 id="timeline-title">${t('timeline.title')}</h3>
      ${this.#content()}
    </section>`;
  }

  #content() {
    if (this.#error) return failed(this.#error, t('timeline.error'), () => this.#load());
    if (!this.#found) return html`<p class="empty">${t('timeline.loading')}</p>`;
    const { tracks, ways } = this.#found;
    const silent = silences(ways);
    if (!tracks.length && !silent.length) return html`<p class="empty">${t('timeline.none')}</p>`;
    return html`
      ${silent.length ? html`<ul class="sayings">${silent.map((one) => this.#silence(one))}</ul>` : nothing}
      ${tracks.map(
        (track) => html`<div class="line" role="group" aria-label=${this.#line(track)}>
          <h4>${this.#line(track)}</h4>
          <ul class="sayings">${this.#said('from', track)}${this.#said('to', track)}</ul>
          <div class="chart" aria-hidden="true"></div>
        </div>`,
      )}
    `;
  }

  #line(track) {
    return track.party === 'caller' ? t('timeline.line.customer') : t('timeline.line.agent', { agent: called(track) });
  }
}

customElements.define('cb-call-quality', CallQuality);
