// The agent's audio: the microphone, kept warm from sign-in to sign-out, and one WebRTC connection to the switch.
//
// Between calls the connection stays up and sends nothing. Answering only puts the open microphone into the sender, so
// the caller hears the agent with the next packet. The switch is ICE-lite and answers with its own candidates: it learns
// ours from our checks, so the offer waits for candidates no longer than a moment and nothing trickles.
//
// Says `state` when `state` changed, `microphone` when the microphone ended by itself.

const GATHER_MS = 200;
const PATIENCE_MS = 3000; // "disconnected" often heals by itself; then it is renewed
const CONNECT_MS = 10000; // from the answer to connected
// Of a key and of the pause behind it (RFC 4733 §2.5.1.1 leaves both to us; ITU-T Q.24 asks for 40 ms at least).
const KEY_MS = 100;
const KEY_GAP_MS = 70;

// Measurements compare waveforms; processing meant for people would change them.
const raw = new URLSearchParams(location.search).has('raw-audio');

const constraints = (deviceId) => ({
  audio: {
    echoCancellation: !raw,
    noiseSuppression: !raw,
    autoGainControl: !raw,
    ...(deviceId && deviceId !== 'default' ? { deviceId: { exact: deviceId } } : {}),
  },
});

function gathered(peer) {
  if (peer.iceGatheringState === 'complete') return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHER_MS);
    peer.addEventListener('icegatheringstatechange', () => {
      if (peer.iceGatheringState !== 'complete') return;
      clearTimeout(timer);
      resolve();
    });
  });
}

export class Media extends EventTarget {
  microphone = null;
  remote = null; // the MediaStream that comes from the switch
  state = 'none'; // of the newest connection: none, connecting, connected, failed
  audio = new Audio();
  #line = null; // the newest connection: {peer, sender, stream}
  #before = null; // the one that is in use until the newest is connected
  #talking = false;
  #muted = false;
  #timer = 0;
  #turn = 0; // which offer the newest connection belongs to

  constructor() {
    super();
    this.audio.autoplay = true;
  }

  /** The newest connection. */
  get peer() {
    return this.#line?.peer ?? null;
  }

  #move(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }

  /** Opens the microphone, in place of the one before; in a call the caller hears the new one from its first frame. */
  async openMicrophone(deviceId) {
    const stream = await navigator.mediaDevices.getUserMedia(constraints(deviceId));
    const [track] = stream.getAudioTracks();
    track.enabled = !this.#muted;
    track.onended = () => this.dispatchEvent(new Event('microphone'));
    const old = this.microphone;
    this.microphone = stream;
    if (this.#talking) await this.#speak(track);
    this.#release(old);
    this.dispatchEvent(new Event('state'));
  }

  get microphoneLive() {
    return this.microphone?.getAudioTracks()[0]?.readyState === 'live';
  }

  #release(stream) {
    for (const track of stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
  }

  closeMicrophone() {
    this.#release(this.microphone);
    this.microphone = null;
  }

  /**
   * Connects, or connects anew: `exchange` brings our offer to the switch and resolves with its answer. A connection
   * that is up serves until the new one is, on both sides.
   */
  async connect(exchange) {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    this.#move('connecting');
    const peer = new RTCPeerConnection();
    const { sender, receiver } = peer.addTransceiver('audio', { direction: 'sendrecv' });
    const line = { peer, sender, stream: new MediaStream([receiver.track]) };
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      const answer = await exchange(peer.localDescription.sdp);
      if (turn !== this.#turn) throw new DOMException('overtaken by a newer offer', 'AbortError');
      this.#replace(line);
      if (this.#talking) await this.talk(); // the first packet that can go carries the voice
      await peer.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (error) {
      if (peer !== this.peer) peer.close();
      if (turn === this.#turn) this.#move(this.peer?.connectionState === 'connected' ? 'connected' : 'failed');
      throw error;
    }
    peer.onconnectionstatechange = () => this.#watch(peer);
    this.#timer = setTimeout(() => peer === this.peer && this.#move('failed'), CONNECT_MS);
    this.#watch(peer);
  }

  /** Whether the newest connection can find a new way without becoming another. */
  get restartable() {
    return ['connected', 'disconnected'].includes(this.peer?.connectionState) && this.peer.signalingState === 'stable';
  }

  /** A new way for the connection that there is: keys and sound go on, the old way serves until the new one is found. */
  async restart(exchange) {
    const turn = ++this.#turn;
    const { peer } = this;
    await peer.setLocalDescription(await peer.createOffer({ iceRestart: true }));
    try {
      const answer = await exchange(peer.localDescription.sdp);
      if (turn !== this.#turn) throw new DOMException('overtaken by a newer offer', 'AbortError');
      await peer.setRemoteDescription({ type: 'answer', sdp: answer });
    } catch (error) {
      if (peer.signalingState === 'have-local-offer') await peer.setLocalDescription({ type: 'rollback' });
      throw error;
    }
  }

  /** How many packets have come by the newest connection (the switch sends always, be it silence), and from where. */
  async look() {
    const stats = await this.peer.getStats();
    const all = [...stats.values()];
    const packets = all.find(({ type }) => type === 'inbound-rtp')?.packetsReceived ?? 0;
    const transport = all.find(({ type }) => type === 'transport');
    const pair = stats.get(transport?.selectedCandidatePairId) ?? all.find((one) => one.type === 'candidate-pair' && one.selected);
    return { packets, from: stats.get(pair?.remoteCandidateId) ?? null };
  }

  #replace(line) {
    const last = this.#line;
    this.#line = line;
    if (last?.peer.connectionState !== 'connected') {
      last?.peer.close();
      return;
    }
    this.#before?.peer.close();
    this.#before = last;
  }

  /** The newest connection is up: what comes by it is heard, and the one before is over. */
  #adopt() {
    this.#before?.peer.close();
    this.#before = null;
    const { stream } = this.#line;
    if (this.remote === stream) return;
    this.remote = stream;
    this.audio.srcObject = stream;
    this.play();
  }

  #watch(peer) {
    if (peer !== this.peer) return;
    const state = peer.connectionState;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      this.#adopt();
      this.#move('connected');
    } else if (state === 'failed' || state === 'closed') {
      clearTimeout(this.#timer);
      this.#move('failed');
    } else if (state === 'disconnected') {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => peer === this.peer && this.#move('failed'), PATIENCE_MS);
    }
  }

  /** Plays what comes; false where the browser wants a click first. */
  async play() {
    try {
      await this.audio.play();
      return true;
    } catch (error) {
      if (error.name !== 'NotAllowedError') return true; // a newer load interrupted this one
      this.dispatchEvent(new Event('blocked'));
      return false;
    }
  }

  async useSpeaker(deviceId) {
    if (this.audio.setSinkId) await this.audio.setSinkId(deviceId === 'default' ? '' : deviceId);
  }

  /** The caller hears the agent from now on. */
  talk() {
    this.#talking = true;
    return this.#speak(this.microphone?.getAudioTracks()[0] ?? null);
  }

  #speak(track) {
    const lines = [this.#before, this.#line].filter((line) => line && line.peer.signalingState !== 'closed');
    return Promise.all(lines.map(({ sender }) => sender.replaceTrack(track)));
  }

  /** Nothing is sent any more; the microphone stays open and the connection up. */
  hush() {
    this.#talking = false;
    this.setMuted(false);
    return this.#speak(null);
  }

  get takesKeys() {
    return this.#line?.sender.dtmf?.canInsertDTMF ?? false;
  }

  /** A key of the keypad goes to the far side, behind those that are still on their way (RFC 4733). */
  press(key) {
    const { dtmf } = this.#line.sender;
    dtmf.insertDTMF(dtmf.toneBuffer + key, KEY_MS, KEY_GAP_MS);
  }

  setMuted(muted) {
    this.#muted = muted;
    for (const track of this.microphone?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  close() {
    this.#turn++;
    clearTimeout(this.#timer);
    this.#talking = false;
    this.#muted = false;
    this.#line?.peer.close();
    this.#before?.peer.close();
    this.#line = this.#before = null;
    this.remote = null;
    this.audio.srcObject = null;
    this.closeMicrophone();
    this.#move('none');
  }
}
