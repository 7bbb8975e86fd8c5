// What this page does about calls: the commands of one that rings, is talked in or dialled, and the effects of what the
// switch tells of it: the ring, the microphone into the call, the words.

import { alertOffer, stopAlert } from './alerts.js';
import { t, telephone } from './i18n.js';
import { offerTitle } from './journal.js';
import { partyNews, unheard } from './parties.js';
import { ringPlayer } from './sound.js';

export class Talk {
  answering = ''; // the call whose Answer was pressed, until the switch has told what became of it
  choosing = ''; // what somebody is chosen for: "consult", "transfer" or "invite"
  #dismissed = null;
  #bench;

  constructor(bench) {
    this.#bench = bench;
  }

  get #media() {
    return this.#bench.voice.media;
  }

  // --- what the switch tells ------------------------------------------------------------------------------------

  tellOffer(offer) {
    const { journal } = this.#bench;
    journal.offered(offer);
    const number = telephone(offer.number);
    if ((offer.purpose ?? 'queue') === 'queue') journal.say('offer.announce', { number, queue: offer.queue_name });
    else journal.speak(() => t('offer.said', { title: offerTitle(offer), number }));
  }

  #tellSound(before) {
    const { desk, journal } = this.#bench;
    journal.sound(unheard(desk), unheard(before), desk.sound === null);
  }

  /** Makes ring and microphone agree with the desk, whatever happened unheard. */
  align() {
    const { desk, owns, inCall } = this.#bench;
    const { state, offered, connected, testingUntil } = desk;
    if (!(owns && state === 'ringing' && offered)) stopAlert();
    else if (!ringPlayer.playing && this.answering !== offered.call) alertOffer(offered);
    if (inCall) {
      this.#media.setMuted(connected.muted);
      this.#media.talk();
    } else if (state !== 'talking' && !this.answering && testingUntil === null) {
      this.#media.hush(); // a call that this page carried before the link broke goes on
    }
  }

  effects = {
    'call.offered': (offer) => {
      if (this.#bench.owns) alertOffer(offer);
      this.tellOffer(offer);
    },
    'call.withdrawn': ({ call, reason }, before) => {
      stopAlert();
      this.#media.hush();
      if (this.answering === call) this.answering = '';
      this.#bench.journal.withdrawn(before.offered, reason);
    },
    'call.connected': (call) => {
      stopAlert();
      this.answering = '';
      if (this.#bench.owns) {
        this.#media.setMuted(call.muted);
        this.#media.talk();
      }
      this.#bench.journal.connected(call);
    },
    'call.dialling': (dial, before) => this.#bench.journal.dialling(dial, before.dialling),
    'call.failed': (event, before) => {
      if (before.dialling?.call === event.call) this.#bench.journal.failed(before.dialling, event);
    },
    'call.muted': ({ muted }) => {
      this.#media.setMuted(muted);
      this.#bench.journal.say(muted ? 'call.muted.done' : 'call.unmuted.done');
    },
    'call.ended': (_, before) => {
      this.#media.hush();
      this.#bench.journal.ended(before.connected ?? before.dialling, this.#bench.desk.outcome);
    },
    'call.parties': (_, before) => {
      this.#bench.journal.parties(partyNews(before, this.#bench.desk));
      this.#tellSound(before);
    },
    'call.second_over': (event) => this.#bench.journal.secondOver(event),
    'call.away': () => {
      this.#bench.journal.away();
      if (this.#bench.owns) this.#bench.voice.unheard();
    },
    'call.back': () => this.#bench.journal.back(),
    'call.sound': (_, before) => this.#tellSound(before),
  };

  // --- commands -------------------------------------------------------------------------------------------------

  hold = () => this.#inCall('call.hold');
  retrieve = () => this.#inCall('call.retrieve');
  complete = () => this.#inCall('call.complete');
  cancel = () => this.#inCall('call.cancel');
  swap = () => this.#inCall('call.swap');
  merge = () => this.#inCall('call.merge');
  /** `target` is {agent}, {agent, mobile: true}, {number} or {queue}; `told` hears a refusal. */
  reach = (act, target, told) => this.#inCall(`call.${act}`, target, told);

  /** Opens the choice of whom to "consult", "transfer" to or "invite"; closes it with "". */
  choose(act) {
    this.choosing = act;
    this.#bench.changed();
  }

  /** Why the one who was asked last is not in the call, unless it was dismissed. */
  get over() {
    const { over } = this.#bench.desk;
    return over === this.#dismissed ? null : over;
  }

  dismiss() {
    this.#dismissed = this.#bench.desk.over;
    this.#bench.changed();
  }

  survey = () => this.#command('call.survey', { call: this.#call });
  hangUp = () => this.#command('call.hang_up', { call: this.#call });
  dial = (number, shown = '') => this.#command('call.dial', { number, shown });

  #command(name, fields, told) {
    return this.#bench.command(name, fields, told);
  }

  /** The call that is talked in, or that is dialled. */
  get #call() {
    return (this.#bench.desk.connected ?? this.#bench.desk.dialling).call;
  }

  #inCall(name, fields = {}, told = undefined) {
    return this.#command(name, { call: this.#bench.desk.connected.call, ...fields }, told);
  }

  async answer() {
    const { call } = this.#bench.desk.offered;
    if (this.answering === call) return;
    this.answering = call;
    stopAlert();
    this.#media.talk(); // before the command: the caller hears the agent from the switch's next tick
    if (await this.#command('call.answer', { call })) return;
    if (this.answering !== call) return;
    this.answering = '';
    if (this.#bench.desk?.state !== 'talking') this.#media.hush();
    this.#bench.changed();
  }

  async decline() {
    stopAlert();
    await this.#command('call.decline', { call: this.#bench.desk.offered.call });
  }

  /** Silent here at once and at the switch with it; heard again only when the switch has agreed. */
  async setMuted(muted) {
    const { call } = this.#bench.desk.connected;
    if (muted) this.#media.setMuted(true);
    if (await this.#command(muted ? 'call.mute' : 'call.unmute', { call })) return; // its event tells how it stands
    this.#media.setMuted(this.#bench.desk?.connected?.muted ?? false);
  }
}
