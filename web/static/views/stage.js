// The stage: what there is to do now. One frame of one size for every state, so that nothing moves when a call arrives;
// the places of Answer, Decline and Start answering hold nothing that a second click could harm in the state that follows.

import { html, nothing } from '../vendor/lit/lit/index.js';
import { bench } from '../bench.js';
import { can, failedCall, reasonKey } from '../desk.js';
import { length, t, telephone } from '../i18n.js';
import { failureText, latestText, offerTitle, outcomeText } from '../journal.js';
import { icon } from '../kit.js';
import { may, partiesOf } from '../parties.js';
import { callCard } from './call.js';
import { Focus } from './focus.js';
import { button, byMobile, caller, diverted } from './parts.js';
import { Steady } from './steady.js';
import { View } from './view.js';

// Why a break began that nobody chose.
const MISSED = ['no_answer', 'mobile_busy', 'mobile_unreachable'];

class Stage extends View {
  #frame = '';
  #steady = new Steady(this);
  #settled = false;

  constructor() {
    super();
    new Focus(this, () => this.#frame);
  }

  render() {
    const { desk } = bench;
    const { state, connected } = desk ?? {};
    return html`<section
      class="stage panel"
      aria-label=${t('stage.label')}
      tabindex="-1"
      data-state=${state ?? 'unknown'}
      ?data-away=${desk?.awayUntil}
      ?data-held=${desk && partiesOf(desk).customerHeld}
      ?data-acts=${state === 'talking' && connected && bench.speaks}
      ?data-muted=${state === 'talking' && connected?.muted}
    >
      ${this.#content(desk)}
    </section>`;
  }

  #content(desk) {
    const { state, owner, offered, connected, dialling } = desk ?? {};
    const show = (frame, draw) => {
      this.#frame = frame;
      this.#settled = this.#steady.stands('main', frame);
      return draw();
    };
    if (!desk) return show('loading', () => this.#plain({ title: t('stage.loading') }));
    if (state === 'ringing' && offered) return show(`offer ${offered.call}`, () => this.#offer(offered));
    if (state === 'talking' && connected) return show(`call ${connected.call}`, () => callCard(connected));
    if (state === 'talking' && dialling) return show(`dial ${dialling.call}`, () => this.#dialling(dialling));
    if (state === 'ringing' || state === 'talking') return show(state, () => this.#plain({ title: t('call.answering') }));
    if (state === 'mobile_answer') return show(state, () => this.#mobile(desk));
    if (!bench.speaks) return show(owner, () => this.#elsewhere(owner));
    if (state === 'after_call_work') return show(state, () => this.#paperwork(desk));
    if (state === 'break') return show(state, () => this.#break(desk));
    return show(state, () => this.#idle(desk));
  }

  #plain({ title, text = '', symbol = '', outcome = '', more = nothing }) {
    return html`
      <div class="stage-head calm">
        ${symbol ? html`<span class="symbol">${icon(symbol)}</span>` : nothing}
        <h2>${title}</h2>
        ${text ? html`<p>${text}</p>` : nothing}
        ${outcome ? html`<p class="outcome">${icon('history')}<span>${outcome}</span></p>` : nothing}
      </div>
      <div class="stage-more">${more}</div>
    `;
  }

  #elsewhere(owner) {
    return this.#plain({
      title: bench.seat.signingIn ? t('stage.signing_in') : t(`stage.${owner}`),
      text: bench.seat.signingIn ? '' : t(`stage.${owner}.text`),
      symbol: 'monitor-smartphone',
      outcome: latestText(bench.desk.outcome),
    });
  }

  #idle(desk) {
    const up = bench.voice.media.state === 'connected' || desk.media === 'connected';
    return this.#plain({
      title: up ? t('stage.idle') : t('stage.connecting'),
      text: up ? t('stage.idle.text') : '',
      symbol: 'phone',
      outcome: latestText(desk.outcome),
      more: bench.me?.demo
        ? button('do.demo_call', {
            symbol: 'phone-incoming',
            enabled: bench.live && up,
            busy: bench.pending.has('demo.call'),
            act: () => bench.demoCall(),
          })
        : nothing,
    });
  }

  #mobile(desk) {
    return this.#plain({
      title: desk.mobile ? t('stage.mobile', { number: telephone(desk.mobile) }) : t('state.mobile_answer'),
      text: byMobile('stage.mobile.text', 'stage.mobile.text.pick_up'),
      symbol: 'smartphone',
      outcome: latestText(desk.outcome),
    });
  }

  #break(desk) {
    return this.#plain({
      title: t('stage.break'),
      text: t(MISSED.includes(reasonKey(desk.reason)) ? 'stage.break.no_answer' : 'stage.break.text'),
      symbol: 'coffee',
      outcome: reasonKey(desk.reason) === 'no_answer' && !failedCall(desk.outcome) ? '' : latestText(desk.outcome),
    });
  }

  #offer(offer) {
    return html`
      <div class="stage-head">
        <div class="over"><span>${icon('phone-incoming')} ${offerTitle(offer)}</span><cb-clock .words=${'offer.ring_left'} .until=${offer.ring_until}></cb-clock></div>
        ${caller(offer)}
        ${this.#asked(offer)}
        <dl class="facts">
          ${offer.queue_name ? html`<div><dt>${t('offer.queue')}</dt><dd>${offer.queue_name}</dd></div>` : nothing}
          <div><dt>${t('offer.dialled')}</dt><dd class="number">${telephone(offer.dialled)}</dd></div>
          ${(offer.purpose ?? 'queue') === 'queue' ? html`<div><dt>${t('offer.waiting')}</dt><dd><cb-clock class="time" .since=${offer.waiting_since}></cb-clock></dd></div>` : nothing}
          ${diverted(offer)}
        </dl>
      </div>
      <div class="stage-main">
        ${bench.owns
          ? button('do.answer', {
              symbol: 'phone',
              kind: 'answer huge',
              shortcut: 'F2',
              enabled: bench.live && can.answer(bench.desk),
              busy: bench.talk.answering === offer.call,
              act: () => bench.talk.answer(),
            })
          : html`<p class="watching">${bench.speaks ? byMobile('stage.mobile.rings', 'stage.mobile.rings.pick_up') : t('stage.other.text')}</p>`}
      </div>
      <div class="stage-more">
        ${bench.speaks
          ? button('do.decline', {
              symbol: 'phone-missed',
              kind: 'right',
              shortcut: 'F4',
              enabled: bench.live && can.decline(bench.desk) && bench.talk.answering !== offer.call,
              busy: bench.pending.has('call.decline'),
              act: () => bench.talk.decline(),
            })
          : nothing}
      </div>
    `;
  }

  /** What another agent asks with this offer; of one that came back to its agent, why. */
  #asked(offer) {
    const { purpose = 'queue', by_name: name, by, by_number: number } = offer;
    if (purpose === 'queue') return nothing;
    const text = t(`offer.asked.${purpose}`, { agent: name || by || telephone(number), words: purpose === 'returned' ? failureText(offer) : '' });
    return html`<p class="asked" data-purpose=${purpose}>${text}</p>`;
  }

  /** A call of ours on its way: what is known of it, and the way out. */
  #dialling(dial) {
    const step = dial.early ? 'dial.early' : dial.rings ? 'dial.rings' : 'dial.trying';
    return html`
      <div class="stage-head">
        <div class="over"><span>${icon('phone')} ${t('dial.title')}</span></div>
        ${caller(dial)}
        <p role="status" aria-label=${t('dial.label')}>${t(step)}</p>
      </div>
      <div class="stage-main">
        ${bench.owns
          ? button('do.survey', {
              symbol: 'star',
              kind: 'act survey',
              tip: t('tip.survey.dialling'),
              enabled: bench.live && may.survey(bench.desk),
              busy: bench.pending.has('call.survey'),
              act: () => bench.talk.survey(),
            })
          : html`<p class="watching">${t('stage.other.text')}</p>`}
      </div>
      <div class="stage-more">
        ${bench.owns
          ? button('do.hang_up', {
              symbol: 'phone-off',
              kind: 'danger right',
              shortcut: 'F4',
              enabled: bench.live && can.hangUp(bench.desk),
              busy: bench.pending.has('call.hang_up'),
              act: () => bench.talk.hangUp(),
            })
          : nothing}
      </div>
    `;
  }

  #paperwork(desk) {
    const last = desk.outcome?.kind === 'ended' ? desk.outcome : null;
    return html`
      <div class="stage-head">
        <div class="over"><span>${icon('notebook-pen')} ${t('stage.after_call_work')}</span></div>
        ${last ? caller(last) : html`<h2 class="quiet-title">${t('stage.after_call_work')}</h2>`}
        ${last
          ? html`<p class="outcome">
              <span>${outcomeText(last)}</span> <span class="time">${t('call.duration', { time: length(last.length) })}</span>
            </p>`
          : nothing}
        ${last?.failed ? html`<p class="outcome" role="status">${icon('phone-missed')}<span>${failureText(last.failed)}</span></p>` : nothing}
        ${desk.until === null
          ? html`<p>${t('stage.after_call_work.text')}</p>`
          : html`<p><cb-clock .words=${'stage.after_call_work.left'} .until=${desk.until}></cb-clock></p>`}
      </div>
      <div class="stage-main">
        ${button('do.start_answering', {
          symbol: 'phone',
          kind: 'primary huge',
          shortcut: 'F2',
          enabled: bench.live && can.startAnswering(desk),
          busy: bench.pending.has('agent.start_answering') || bench.pending.has('agent.sign_in'),
          settling: !this.#settled, // a double click on what handed the call over
          act: () => bench.startAnswering(),
        })}
      </div>
      <div class="stage-more">
        ${desk.owner === 'mobile'
          ? button('do.mobile_answer', {
              symbol: 'smartphone',
              enabled: bench.live && can.mobile(desk),
              busy: bench.pending.has('agent.mobile'),
              act: () => bench.answerByMobile(''),
            })
          : nothing}
        ${desk.fromBreak
          ? button('do.return_to_break', {
              symbol: 'coffee',
              enabled: bench.live && can.break(desk),
              busy: bench.pending.has('agent.state break'),
              act: () => bench.setState('break'),
            })
          : nothing}
      </div>
    `;
  }
}

customElements.define('cb-stage', Stage);
