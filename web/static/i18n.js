// The language of the page: which one, its words, and how it writes times, lengths and telephone numbers.
//
// Chosen by ?lang=, else by what this person chose here before, else by the organisation (known after login), else by
// the browser. Changing it tells every view to draw again; nothing is reloaded, least of all in a call.

import en from './lang/en.js';
import zh from './lang/zh.js';
import { parsePhoneNumber } from './vendor/libphonenumber/libphonenumber.js';

const DICTIONARIES = { en, zh };
const TAGS = { en: 'en', zh: 'zh-CN' };
const KEY = 'cordboard.lang';

export const changes = new EventTarget();

const known = (name) => (name && Object.hasOwn(DICTIONARIES, name) ? name : null);
const asked = known(new URLSearchParams(location.search).get('lang'));
const kept = known(localStorage.getItem(KEY));

let current = asked ?? kept ?? (/^zh/i.test(navigator.language) ? 'zh' : 'en');
use(current);

function use(name) {
  current = name;
  document.documentElement.lang = TAGS[name];
  changes.dispatchEvent(new Event('change'));
}

export const language = () => current;
export const otherLanguage = () => (current === 'en' ? 'zh' : 'en');

/** A person's choice: kept for the next visit, and no longer contradicted by the address. */
export function chooseLanguage(name) {
  localStorage.setItem(KEY, name);
  const url = new URL(location.href);
  url.searchParams.delete('lang');
  history.replaceState(null, '', url);
  use(name);
}

/** The organisation's language, where nobody has chosen. */
export function suggestLanguage(name) {
  if (!asked && !localStorage.getItem(KEY) && known(name) && name !== current) use(name);
}

const BEGINS_CHINESE = /^\p{Script=Han}/u;
const ENDS_CHINESE = /\p{Script=Han}$/u;

/** The words for `key`, with {names} filled in from `values`. A missing key is a bug and shows itself. Chinese stands apart from
    a Latin name or a number, and not from Chinese: a blank beside a {name} is left out between the two. */
export function t(key, values = {}) {
  const text = DICTIONARIES[current][key];
  if (text === undefined) return `[${key}]`;
  return text.replace(/( ?)\{(\w+)\}( ?)/g, (all, before, name, after, at) => {
    const value = String(values[name] ?? '');
    const joins = BEGINS_CHINESE.test(value) && ENDS_CHINESE.test(text.slice(0, at));
    const goesOn = ENDS_CHINESE.test(value) && BEGINS_CHINESE.test(text.slice(at + all.length));
    return (joins ? '' : before) + value + (goesOn ? '' : after);
  });
}

export const hasText = (key) => Object.hasOwn(DICTIONARIES[current], key);

/** 4:05, 1:02:09: how long, in whole seconds, never negative. */
export function length(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  const s = String(whole % 60).padStart(2, '0');
  return h ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

// --- times of day, in the organisation's time zone -----------------------------------------------------------------

let zone; // undefined: the person's own, until the organisation's is known

/** The organisation's time zone, by its IANA name; one that this browser does not know leaves the person's own. */
export function useZone(name) {
  try {
    zone = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    zone = undefined;
  }
}

/** The name of that zone where the person's clock shows other times; else empty. */
export function otherZone() {
  const there = (timeZone) => new Date().toLocaleString('sv', { timeZone });
  return zone && there(zone) !== there(undefined) ? zone : '';
}

const MINUTE = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const SECOND = { ...MINUTE, second: '2-digit' };
const DATE = { year: 'numeric', month: '2-digit', day: '2-digit' };
const LONG = { year: 'numeric', month: 'long', day: 'numeric' };
const DAY = { weekday: 'short', day: 'numeric', month: 'short' };
const DAY_OF_YEAR = { ...DAY, year: 'numeric' };

// A formatter is slow to make and quick to use: options -> the one made last, for its language and zone.
const formatters = new Map();

function written(epoch, options, tag = TAGS[current]) {
  const name = `${tag} ${zone}`;
  if (formatters.get(options)?.name !== name) {
    formatters.set(options, { name, format: new Intl.DateTimeFormat(tag, { timeZone: zone, ...options }) });
  }
  return formatters.get(options).format.format(epoch * 1000);
}

/** 14:03:59; `epoch` is in seconds. */
export const clock = (epoch) => written(epoch, SECOND);

/** 14:03. */
export const minute = (epoch) => written(epoch, MINUTE);

/** 2026-11-25: which day it is; for comparing, not for reading. */
export const dayKey = (epoch) => written(epoch, DATE, 'sv');

/** Today, Yesterday, or Mon 23 Nov; of another year Mon 24 Nov 2025. */
export function dayName(epoch, now) {
  const key = dayKey(epoch);
  if (key === dayKey(now)) return t('day.today');
  if (key === dayKey(now - 24 * 3600)) return t('day.yesterday');
  const day = key.slice(0, 4) === dayKey(now).slice(0, 4) ? DAY : DAY_OF_YEAR;
  return written(epoch, day, current === 'en' ? 'en-GB' : TAGS[current]);
}

/** 25 November 2026. */
export const date = (epoch) => written(epoch, LONG, current === 'en' ? 'en-GB' : TAGS[current]);

/** The midnight before `epoch`; an hour off on the day that clocks are set. */
export function midnight(epoch) {
  const [h, m, s] = clock(epoch).split(':').map(Number);
  return Math.floor(epoch) - h * 3600 - m * 60 - s;
}

// As many as a page shows at once, with room to spare.
const REMEMBERED = 2000;
const telephones = new Map();

function spaced(number) {
  // a Chinese mobile as it is dialled there
  if (/^1\d{10}$/.test(number)) return parsePhoneNumber(number, 'CN')?.formatNational() ?? number;
  if (!/^\+\d{5,15}$/.test(number)) return number;
  return parsePhoneNumber(number)?.formatInternational() ?? number;
}

/** A number as people of its country write it: +86 138 0013 8000, +44 7700 900142. What is not a telephone number stays
 * as it is. */
export function telephone(number) {
  if (!number) return t('number.withheld');
  let text = telephones.get(number);
  if (text === undefined) {
    text = spaced(number);
    if (telephones.size >= REMEMBERED) telephones.clear();
    telephones.set(number, text);
  }
  return text;
}
