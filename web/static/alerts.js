// What calls a person to the page when a call is offered: the ring, the blinking title, the desktop notification.

import { t, telephone } from './i18n.js';
import { offerTitle } from './journal.js';
import { ring, stopRing } from './sound.js';

const BLINK_MS = 1000;
let blinking = 0;
let notification = null;
let title = document.title;

/** The title between blinks: the agent's state, so that a background tab tells it. */
export function setTitle(text) {
  title = text;
  if (!blinking) document.title = text;
}

export const notificationPermission = () => ('Notification' in window ? Notification.permission : 'denied');

/** Browsers ask only from a click. */
export async function askForNotifications() {
  if (notificationPermission() === 'default') await Notification.requestPermission();
}

export function alertOffer(offer) {
  ring();
  const number = telephone(offer.number);
  let lit = false;
  const blink = () => {
    lit = !lit;
    document.title = lit ? t('offer.blink', { number }) : title;
  };
  clearInterval(blinking);
  blinking = setInterval(blink, BLINK_MS);
  blink();
  if (document.hidden && notificationPermission() === 'granted') {
    const caller = offer.name ? `${offer.name} ${number}` : number;
    notification = new Notification(offerTitle(offer), {
      body: offer.queue_name ? t('offer.notification', { number: caller, queue: offer.queue_name }) : caller,
      tag: 'cordboard-offer',
      requireInteraction: true,
      icon: '/static/icon.svg',
    });
    notification.onclick = () => {
      window.focus();
      notification?.close();
    };
  }
}

/** All of it at once; harmless where nothing rings. */
export function stopAlert() {
  stopRing();
  clearInterval(blinking);
  blinking = 0;
  document.title = title;
  notification?.close();
  notification = null;
}
