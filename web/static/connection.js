// The websocket: requests with replies by id, events as they come, and a new connection when the old one dies.
//
// Says `open` when it is up, `lost` when it went (it is already trying again), and `event` with each event in `detail`.
// A browser cannot ping. Where nothing was heard for a while the owner asks for a snapshot, and a request that stays
// without reply is what shows a dead network (`give up` below).

const SUBPROTOCOL = 'cordboard.v1.json';
const REPLY_S = 8; // a reply means "accepted"; the switch gives it within milliseconds
const DELAYS_S = [0.3, 1, 2, 4, 8]; // between attempts; the last goes on for ever, each varied by a third
const ATTEMPT_S = 10; // for one attempt to open

/** A request that was refused, or never answered: `code` as in the protocol, or "timeout" or "disconnected". */
export class Refusal extends Error {
  constructor(code, text = '') {
    super(text || code);
    this.code = code;
    this.text = text;
  }
}

export class Connection extends EventTarget {
  #socket = null;
  #timer = 0;
  #attempts = 0;
  #id = 0;
  #waiting = new Map();
  #wanted = false;
  heardAt = 0;

  open() {
    this.#wanted = true;
    addEventListener('online', this.retry);
    this.#connect();
  }

  close() {
    this.#wanted = false;
    removeEventListener('online', this.retry);
    clearTimeout(this.#timer);
    this.#drop();
  }

  get live() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Tries at once instead of when the delay is over. */
  retry = () => {
    if (!this.#wanted || this.#socket) return;
    clearTimeout(this.#timer);
    this.#connect();
  };

  /** The network is taken for dead although the socket does not know it yet. */
  giveUp() {
    if (this.#socket) this.#lost(this.#socket);
  }

  /** Resolves with the reply's fields, or rejects with a Refusal; "timeout" after `patience` seconds. */
  request(action, fields = {}, patience = REPLY_S) {
    if (!this.live) return Promise.reject(new Refusal('disconnected'));
    const id = ++this.#id;
    this.#socket.send(JSON.stringify({ id, do: action, ...fields }));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Refusal('timeout'));
      }, patience * 1000);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  #connect() {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(`${scheme}//${location.host}/ws`, SUBPROTOCOL);
    this.#socket = socket;
    const patience = setTimeout(() => this.#lost(socket), ATTEMPT_S * 1000);
    socket.onopen = () => {
      clearTimeout(patience);
      this.heardAt = performance.now();
      this.dispatchEvent(new Event('open'));
    };
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = () => {
      clearTimeout(patience);
      this.#lost(socket);
    };
  }

  /** The owner has its snapshot: the next loss starts again with the shortest delay. */
  settled() {
    this.#attempts = 0;
  }

  #hear(message) {
    this.heardAt = performance.now();
    if (message.event) {
      this.dispatchEvent(new CustomEvent('event', { detail: message }));
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return; // its time was over; a snapshot tells what became of it
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new Refusal(message.error.code, message.error.text));
    else waiting.resolve(message);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Refusal('disconnected'));
    }
    this.#waiting.clear();
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    this.#drop();
    if (!this.#wanted) return;
    const delay = DELAYS_S[Math.min(this.#attempts++, DELAYS_S.length - 1)];
    this.#timer = setTimeout(() => this.#connect(), delay * (1 + Math.random() / 3) * 1000);
    this.dispatchEvent(new CustomEvent('lost', { detail: { attempts: this.#attempts } }));
  }
}
