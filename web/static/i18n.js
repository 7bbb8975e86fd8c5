// The language of the page: which one, its words, and how it writes times, lengths and telephone numbers.
//
// Chosen by ?lang=, else by what this person chose here before, else by the organisation (known after login), else by
// the browser. Changing it tells every view to draw again; nothing is reloaded, least of all in a call.

import en from './lang/en.js';
import zh from './lang/zh.js';

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

/** The words for `key`, with {names} filled in from `values`. A missing key is a bug and shows itself. */
export function t(key, values = {}) {
  const text = DICTIONARIES[current][key];
  if (text === undefined) return `[${key}]`;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
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
const DAY = { weekday: 'short', day: 'numeric', month: 'short' };

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

/** Today, Yesterday, or Mon 23 Nov. */
export function dayName(epoch, now) {
  const key = dayKey(epoch);
  if (key === dayKey(now)) return t('day.today');
  if (key === dayKey(now - 24 * 3600)) return t('day.yesterday');
  return written(epoch, DAY, current === 'en' ? 'en-GB' : TAGS[current]);
}

/** The midnight before `epoch`; an hour off on the day that clocks are set. */
export function midnight(epoch) {
  const [h, m, s] = clock(epoch).split(':').map(Number);
  return Math.floor(epoch) - h * 3600 - m * 60 - s;
}

// ITU-T E.164 assignments: one-digit and two-digit country codes; all others have three.
const ONE = /^[17]/;
const TWO = /^(2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** Threes, and fours at the end where they do not come out even: 415 555 1234. */
function groups(digits) {
  const fours = digits.length < 4 ? 0 : [0, 1, 2][digits.length % 3];
  const threes = digits.slice(0, Math.max(0, digits.length - 4 * fours)).match(/.{1,3}/g) ?? [];
  return [...threes, ...(digits.slice(threes.join('').length).match(/.{1,4}/g) ?? [])].join(' ');
}

function chinese(national) {
  const mobile = /^(1\d\d)(\d{4})(\d{4})$/.exec(national);
  if (mobile) return mobile.slice(1).join(' ');
  const fixed = /^(10|2\d|[3-9]\d\d)(\d{3,4})(\d{4})$/.exec(national);
  return fixed ? fixed.slice(1).join(' ') : groups(national);
}

/** A number as people read it: +86 138 0013 8000. What is not a telephone number stays as it is. */
export function telephone(number) {
  if (!number) return t('number.withheld');
  if (/^1\d{10}$/.test(number)) return chinese(number);
  if (!/^\+\d{5,15}$/.test(number)) return number;
  const digits = number.slice(1);
  if (digits.startsWith('86')) return `+86 ${chinese(digits.slice(2))}`;
  const code = ONE.test(digits) ? 1 : TWO.test(digits) ? 2 : 3;
  return `+${digits.slice(0, code)} ${groups(digits.slice(code))}`;
}
