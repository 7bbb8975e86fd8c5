// The plain HTTP requests of the page: who am I, log in, log out, and what has happened.

/** An answer other than success: `status` is 0 where the server was not reached, `retryAfter` in seconds, `told` what it
    said. */
export class HttpError extends Error {
  constructor(status, retryAfter = 0, told = {}) {
    super(`HTTP ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
    this.told = told;
  }
}

async function ask(method, path, body, more = {}) {
  let response, text;
  try {
    response = await fetch(path, {
      ...more,
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await response.text();
  } catch {
    throw new HttpError(0);
  }
  const json = text && response.headers.get('content-type')?.startsWith('application/json');
  const told = json ? JSON.parse(text) : {};
  if (!response.ok) throw new HttpError(response.status, Number(response.headers.get('retry-after')) || 0, told);
  return told;
}

/** {agent, name, role, demo, language}; HttpError 401 where nobody is logged in. */
export const whoAmI = () => ask('GET', '/api/me');
export const logIn = (agent, password) => ask('POST', '/api/login', { agent, password });
export const logOut = () => ask('POST', '/api/logout', {});

/** {ice_ufrag, ice_pwd, points: [{id, name, candidates}]}: where the voice can go, and what to measure that with. */
export const accessPoints = () => ask('GET', '/api/access-points');

export const DAYS = 7;

/** A page of the list, {calls, next}; `query` has class, agent and cursor as the switch takes them. */
export const listCalls = (query) => ask('GET', `/api/calls?${new URLSearchParams({ days: DAYS, ...query })}`);

const named = (call) => `/api/calls/${encodeURIComponent(call)}`;

/** All that is known of one call; as `agent` sees it, or as this login does. */
export const wholeCall = (call, agent = '') => ask('GET', `${named(call)}${agent ? `?agent=${encodeURIComponent(agent)}` : ''}`);
export const peaksOf = (call) => ask('GET', `${named(call)}/peaks`);
/** How it sounded: {tracks, ways}. */
export const qualityOf = (call) => ask('GET', `${named(call)}/quality`);
/** {decisions}: why it rang where it did, and why not at `agent`, or at who asks. */
export const whyOf = (call, agent = '') => ask('GET', `${named(call)}/why${agent ? `?agent=${encodeURIComponent(agent)}` : ''}`);
/** Somebody has seen to the message that was left in it, or has not. */
export const handleMessage = (call, handled) => ask('POST', `${named(call)}/message`, { handled });

const PAPER_MS = 8000; // for an answer, before it is taken for lost

/** The customer of a call, the summaries of the call, tickets and earlier calls. */
export const paperOf = (call) => ask('GET', `${named(call)}/paper`, undefined, { signal: AbortSignal.timeout(PAPER_MS) });
/** An edit, a tag or a ticket of that agent; the whole paper afterwards. What is under way as the page goes arrives all the
    same. */
export const writePaper = (agent, call, change) => ask('POST', `${named(call)}/paper`, { ...change, agent }, { keepalive: true, signal: AbortSignal.timeout(PAPER_MS) });
/** {versions}: what a field was, the newest first. */
export const versionsOf = (call, edit) => ask('GET', `${named(call)}/paper/versions?${new URLSearchParams(edit)}`);
export const recordingOf = (call) => `${named(call)}/recording`;

/** {states}: how an agent stood today, the oldest first. */
export const statesOf = (agent) => ask('GET', `/api/agents/${encodeURIComponent(agent)}/states?days=1`);

/** {webhooks}: the systems that are told what happens, and how each fares; for administrators. */
export const listWebhooks = () => ask('GET', '/api/webhooks');
/** {taken, status, trouble}: what a system says to a letter of no event. */
export const testWebhook = (id) => ask('POST', `/api/webhooks/${encodeURIComponent(id)}/test`, {});
/** All that waits for it is tried now. */
export const sendWaiting = (id) => ask('POST', `/api/webhooks/${encodeURIComponent(id)}/send`, {});
