// The page's one model: who is logged in, the link, the desk as the switch tells it, and what this page does about it.
//
// Views read it and draw again at each `change`; they change nothing themselves but call its methods. Effects that
// belong to an event (the ring, the microphone into the call) are carried out in `#hear`, before anything is drawn.

import { HttpError, logIn, logOut, whoAmI } from './api.js';
import { setTitle, stopAlert } from './alerts.js';
import { Connection, Refusal } from './connection.js';
import { after, afterSnapshot, fromSnapshot, speaks, speechChanged } from './desk.js';
import { Journal } from './journal.js';
import { changes as languageChanges, suggestLanguage, t, useZone } from './i18n.js';
import { Paper } from './paper.js';
import { Points } from './points.js';
import { Roster } from './roster.js';
import { Seat } from './seat.js';
import { unlock } from './sound.js';
import { Talk } from './talk.js';
import { Voice } from './voice.js';

const QUIET_MS = 25000; // nothing heard for so long: a snapshot shows whether the link lives
const LOOK_MS = 5000;
const ASLEEP_MS = 3 * LOOK_MS; // a look that comes so late: the computer slept, and its links may be dead
const WAKING_S = 2; // for a reply then

export class Workbench extends EventTarget {
  phase = 'loading'; // loading, login, desk
  me = null;
  loginNotice = null;
  desk = null;
  link = 'connecting'; // connecting, live, lost
  pending = new Set();
  connection = new Connection();
  roster = new Roster(this.connection);
  journal = new Journal();
  paper = new Paper(this);
  points = new Points();
  voice = new Voice(this);
  seat = new Seat(this);
  talk = new Talk(this);
  #offset = 0; // the switch's clock minus ours, in seconds
  #asking = 0; // snapshots under way
  #early = []; // events that came meanwhile
  #lookedAt = Date.now();

  constructor() {
    super();
    const changed = () => this.changed();
    this.connection.addEventListener('open', () => this.#opened());
    this.connection.addEventListener('lost', ({ detail }) => this.#lost(detail.attempts));
    this.connection.addEventListener('event', ({ detail }) => {
      if (detail.event === 'paper.changed') return; // the paper's, as its revisions are of its own
      if (detail.event === 'colleagues') this.roster.hear(detail); // and these
      else if (this.desk && !this.#asking) this.#hear(detail);
      else this.#early.push(detail);
    });
    this.journal.addEventListener('change', changed);
    this.points.addEventListener('change', changed);
    languageChanges.addEventListener('change', changed);
    addEventListener('pagehide', () => {
      this.connection.close();
      this.points.stop();
      this.seat.unload();
    });
    addEventListener('pageshow', ({ persisted }) => {
      if (!persisted || this.phase !== 'desk') return;
      this.points.start();
      this.connection.open();
    });
    document.addEventListener('visibilitychange', () => !document.hidden && this.#shown());
  }

  async start() {
    this.voice.start();
    setInterval(() => this.#look(), LOOK_MS);
    await this.#begin();
  }

  /** As whoever is logged in at this browser. */
  async #begin() {
    try {
      this.#enter(await whoAmI());
    } catch (error) {
      this.phase = 'login';
      if (error.status !== 401) this.loginNotice = this.#httpText(error);
    }
    this.changed();
  }

  changed() {
    setTitle(this.desk ? t('app.title', { state: t(`state.${this.desk.state}`) }) : t('app.name'));
    this.dispatchEvent(new Event('change'));
  }

  /** Seconds since the epoch by the switch's clock. */
  now() {
    return Date.now() / 1000 + this.#offset;
  }

  get owns() {
    return this.desk?.owner === 'this';
  }

  /** Whether what is pressed here counts, with the seat or by a mobile. */
  get speaks() {
    return this.desk !== null && speaks(this.desk);
  }

  get live() {
    return this.link === 'live' && this.desk !== null;
  }

  get inCall() {
    return this.owns && this.desk.state === 'talking' && this.desk.connected !== null;
  }

  // --- log in and out -------------------------------------------------------------------------------------------

  async logIn(agent, password) {
    unlock();
    await logIn(agent, password);
    const me = await whoAmI();
    if (this.me && this.me.agent !== me.agent) this.seat.leave();
    this.#enter(me);
    this.changed();
  }

  async logOut() {
    const unsaved = await this.paper.leave(); // as long as it may write
    await logOut().catch(() => {}); // the cookie may be gone already; the page leaves in any case
    this.#leave(unsaved ? { key: 'login.unsaved' } : null);
    this.me = null;
    this.seat.leave();
    this.changed();
  }

  #enter(me) {
    this.me = me;
    this.phase = 'desk';
    this.loginNotice = null;
    this.paper.enter(me.agent);
    suggestLanguage(me.language);
    useZone(me.time_zone);
    this.link = 'connecting';
    this.points.start();
    this.connection.open();
  }

  #leave(notice) {
    this.connection.close();
    this.points.stop();
    this.roster.forget();
    this.paper.leave();
    stopAlert();
    this.desk = null;
    this.phase = 'login';
    this.loginNotice = notice;
  }

  #httpText(error) {
    if (!(error instanceof HttpError)) throw error;
    return error.status ? { key: 'login.failed', values: { status: error.status } } : { key: 'login.network' };
  }

  // --- the link -------------------------------------------------------------------------------------------------

  async #opened() {
    this.#early = [];
    this.desk = this.desk && { ...this.desk, rev: -1 };
    try {
      await this.takeSnapshot();
    } catch {
      this.connection.giveUp();
      return;
    }
    if (this.desk.agent !== this.me.agent) {
      // another has logged in by another page of this browser
      this.seat.leave();
      this.#leave(null);
      await this.#begin();
      return;
    }
    this.connection.settled();
    if (this.link === 'lost') this.journal.note('log.link_back');
    this.link = 'live';
    this.paper.linked();
    await this.seat.comeBack();
    this.changed();
  }

  /** The switch has taken this page for the one that carries the audio. */
  seated() {
    this.desk = Object.freeze({ ...this.desk, owner: 'this' });
    this.talk.align();
  }

  async takeSnapshot() {
    const asked = Date.now();
    this.#asking++;
    try {
      const reply = await this.connection.request('snapshot');
      if (reply.now) this.#offset = reply.now - (asked + Date.now()) / 2000;
      const drawn = this.desk;
      this.desk = afterSnapshot(drawn, fromSnapshot(reply));
      // its event was overtaken by this snapshot: nobody has been told
      if (this.desk.offered && this.desk.offered.call !== drawn?.offered?.call) this.talk.tellOffer(this.desk.offered);
    } finally {
      this.#asking--;
      if (this.desk && !this.#asking) for (const event of this.#early.splice(0)) this.#hear(event);
    }
    this.talk.align();
    if (this.live) this.changed();
  }

  async #lost(attempts) {
    if (this.link === 'live') {
      this.link = 'lost';
      this.journal.note('log.link_lost');
      if (this.desk?.state === 'ringing') stopAlert(); // it cannot be answered from here now
    }
    this.changed();
    if (attempts % 3 !== 2) return;
    const gone = await whoAmI().then(() => false, (error) => error.status === 401);
    if (gone && this.phase === 'desk' && !this.connection.live) {
      this.#leave({ key: 'login.expired' });
      this.changed();
    }
  }

  #look() {
    const now = Date.now();
    const slept = now - this.#lookedAt > ASLEEP_MS;
    this.#lookedAt = now;
    if (slept) this.#shown();
    else if (this.live && performance.now() - this.connection.heardAt > QUIET_MS) this.#checkLink();
  }

  /** Awake or in sight again: nobody waits for what a timer would find out later. */
  #shown() {
    if (this.live) this.#checkLink(WAKING_S);
    else this.connection.retry();
  }

  #checkLink(patience) {
    this.connection.request('snapshot', {}, patience).then(
      (reply) => reply.rev !== this.desk?.rev && this.takeSnapshot().catch(() => {}),
      (refusal) => refusal.code === 'timeout' && this.connection.giveUp(),
    );
  }

  // --- events ---------------------------------------------------------------------------------------------------

  #hear(event) {
    const before = this.desk;
    this.desk = after(before, event, this.now());
    if (this.desk === before) return;
    (this.#effects[event.event] ?? this.talk.effects[event.event])?.(event, before);
    if (event.event !== 'media.quality' || speechChanged(before, this.desk)) this.changed();
  }

  #effects = {
    'agent.state': ({ state, reason, by_mobile: byMobile }, before) => {
      this.journal.state(state, reason, before.state);
      if (state !== 'ringing' && state !== 'talking') {
        stopAlert();
        this.voice.media.hush();
      }
      if ((state === 'signed_out' || byMobile) && !this.seat.signingIn) this.seat.leave();
      const bound = byMobile && before.owner !== 'mobile'; // at which number?
      if ((before.state === 'signed_out' || bound) && !this.seat.signingIn) this.takeSnapshot().catch(() => {}); // who signed in?
    },
    'agent.test_call': () => {
      if (this.owns) this.voice.media.talk();
    },
    'agent.test_call_over': () => {
      if (this.desk.state !== 'talking' && !this.talk.answering) this.voice.media.hush();
    },
    'media.connected': () => this.seat.connected(),
    'media.failed': () => {
      if (this.owns) this.voice.renew();
    },
    'agent.taken_over': () => {
      stopAlert();
      this.seat.takenOver();
      this.journal.note('log.taken_over');
    },
  };

  // --- commands -------------------------------------------------------------------------------------------------

  /** One command; a refusal is told in words and resolves to null. The same command is not sent twice at once. */
  async command(name, fields = {}, told = (refusal) => this.refused(refusal)) {
    const key = fields.state ? `${name} ${fields.state}` : name; // idle right after break is another wish
    if (this.pending.has(key)) return null;
    this.pending.add(key);
    this.changed();
    try {
      return await this.connection.request(name, fields);
    } catch (refusal) {
      told(refusal);
      return null;
    } finally {
      this.pending.delete(key);
      this.changed();
    }
  }

  refused(refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    this.journal.refused(refusal);
  }

  testCall = (on) => this.command('agent.test_call', { on });
  signOut = () => this.command('agent.sign_out');
  setState = (state) => this.command('agent.state', { state });
  answerByMobile = (number, told) => this.command('agent.mobile', { number }, told);

  /** Who has worked by a mobile signs in for it. */
  async startAnswering() {
    if (this.desk.owner === 'mobile') await this.seat.signIn();
    if (this.owns) await this.command('agent.start_answering');
  }

  demoCall = () => this.command('demo.call');
}
