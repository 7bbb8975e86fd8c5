// The few plain HTTP requests of the page: who am I, log in, log out.

/** An answer other than success: `status` is 0 where the server was not reached, `retryAfter` in seconds. */
export class HttpError extends Error {
  constructor(status, retryAfter = 0) {
    super(`HTTP ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new HttpError(0);
  }
  if (!response.ok) throw new HttpError(response.status, Number(response.headers.get('retry-after')) || 0);
  const text = await response.text();
  return text ? JSON.parse(text) : {};
}

/** {agent, name, role, demo, language}; HttpError 401 where nobody is logged in. */
export const whoAmI = () => ask('GET', '/api/me');
export const logIn = (agent, password) => ask('POST', '/api/login', { agent, password });
export const logOut = () => ask('POST', '/api/logout', {});
