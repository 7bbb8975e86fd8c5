"""An agent at the real page in a real, headless Firefox, driven by WebDriver BiDi: no driver program stands between.

What a person does is done with the mouse and the keyboard, on what assistive technology sees (roles and names). The
microphone is Firefox's own made-up one, a sine; the loudspeaker is a PulseAudio of the browser's own, since without a
device Firefox's WebAudio stands still. Firefox never sends media to or from 127.0.0.1 (it gathers no candidate there),
so the switch has to listen at another address of this machine.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Ping, Request, TextMessage

from .chromium import LISTEN, PATIENCE_MS, Heard
from .product import PASSWORD, START_S, first_in_line, until

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
PATIENCE = PATIENCE_MS / 1000
# Of the microphone, in Hz: far from any tone that customers send.
MICROPHONE = 880.0
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "intl.accept_languages": "en-GB",
    "media.autoplay.default": 0,  # WebAudio of the probe runs before anybody has clicked
    "media.navigator.audio.fake_frequency": round(MICROPHONE),
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
# A key of the keyboard, and a button of the mouse (WebDriver §15.4.2, §15.6.2).
TAB, LEFT = "\ue004", 0

Message = dict[str, Any]


class BidiError(AssertionError):
    """The browser has refused a command."""


class Bidi:
    """The BiDi session of one browser: commands and their results, and errors of pages as they happen."""

    def __init__(self, port: int) -> None:
        self.errors: list[tuple[str, str]] = []  # (context, text)
        self._next = 0
        self._parts: list[str] = []
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._wire = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._socket.sendall(self._wire.send(Request(host=f"127.0.0.1:{port}", target="/session")))
        self._accepted = False
        while not self._accepted:
            self._read()
        self.do("session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})
        self.do("session.subscribe", events=["log.entryAdded"])

    def do(self, method: str, **parameters: object) -> Message:
        """The result of a command. Raises BidiError."""
        self._next += 1
        command = {"id": self._next, "method": method, "params": parameters}
        self._socket.sendall(self._wire.send(TextMessage(json.dumps(command))))
        while True:
            for message in self._read():
                if message.get("id") != self._next:
                    continue
                if message["type"] == "error":
                    raise BidiError(f"{method}: {message['error']}: {message['message']}")
                result: Message = message["result"]
                return result

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.do("browser.close")
        self._socket.close()

    def _read(self) -> list[Message]:
        """Waits for bytes. Raises ConnectionError where the browser is gone, TimeoutError where it says nothing."""
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the browser has closed the connection")
        self._wire.receive_data(data)
        messages = []
        for event in self._wire.events():
            match event:
                case AcceptConnection():
                    self._accepted = True
                case Ping():
                    self._socket.sendall(self._wire.send(event.response()))
                case TextMessage(data=part):
                    self._parts.append(part)
                    if event.message_finished:
                        messages.append(json.loads("".join(self._parts)))
                        self._parts.clear()
                case CloseConnection(code=code):
                    raise ConnectionResetError(f"the browser has closed the connection with {code}")
        for message in messages:
            if message.get("method") == "log.entryAdded" and message["params"]["type"] == "javascript":
                entry = message["params"]
                self.errors.append((entry["source"].get("context", ""), entry["text"]))
        return messages


@contextlib.contextmanager
def program(said: Path, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs it until the context ends; what it says goes to a file."""
    with said.open("w") as output, first_in_line():
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def loudspeaker(folder: Path) -> Iterator[str]:
    """A sound server whose one device nobody hears; gives what PULSE_SERVER is for its clients."""
    path = folder / "loudspeaker"
    modules = ["module-null-sink", f"module-native-protocol-unix socket={path} auth-anonymous=1"]
    options = ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"]
    home = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH")}
    loaded = [f"--load={module}" for module in modules]
    with program(folder / "pulse.txt", "pulseaudio", *options, *loaded, **home):
        until(path.is_socket, PATIENCE, "the sound server")
        yield f"unix:{path}"


@contextlib.contextmanager
def firefox() -> Iterator[Bidi]:
    """A browser with a profile of its own, and its session."""
    assert FIREFOX, "there is no Firefox"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        profile, said = folder / "profile", folder / "firefox.txt"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        options = ["--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
        server = stack.enter_context(loudspeaker(folder))
        process = stack.enter_context(program(said, FIREFOX, *options, PULSE_SERVER=server))

        def listening() -> re.Match[str] | None:
            assert process.poll() is None, f"Firefox has ended: {said.read_text()}"
            return re.search(r"BiDi listening on ws://[^:]+:(\d+)\s", said.read_text())

        found = until(listening, START_S, "Firefox's BiDi")
        assert found
        session = Bidi(int(found[1]))
        stack.callback(session.close)
        yield session


class Agent:
    """One page of one agent, with cookies of its own."""

    def __init__(self, session: Bidi, url: str, agent: str) -> None:
        """`url`: of the switch, at an address that Firefox sends media to."""
        self.agent = agent
        self._session = session
        self._user = session.do("browser.createUserContext")["userContext"]
        self._context = session.do("browsingContext.create", type="tab", userContext=self._user)["context"]
        session.do("browsingContext.setViewport", context=self._context, viewport={"width": 1280, "height": 800})
        session.do("script.addPreloadScript", functionDeclaration=f"() => {{ {LISTEN} }}", contexts=[self._context])
        session.do("browsingContext.navigate", context=self._context, url=f"{url}/?lang=en&raw-audio", wait="complete")

    @property
    def problems(self) -> list[str]:
        """Errors of the page's scripts."""
        return [text for context, text in self._session.errors if context == self._context]

    # --- as a person --------------------------------------------------------------------------------------------

    def _found(self, role: str, name: str) -> list[Message]:
        locator = {"type": "accessibility", "value": {"role": role, "name": name}}
        nodes: list[Message] = self._session.do("browsingContext.locateNodes", context=self._context, locator=locator)[
            "nodes"
        ]
        return nodes

    def shows(self, role: str, name: str) -> bool:
        return bool(self._found(role, name))

    def shows_text(self, text: str) -> bool:
        return bool(self.ask(f"document.body.innerText.includes({json.dumps(text)})"))

    def click(self, name: str, role: str = "button") -> None:
        """Waits until it is there and can be pressed, and presses it with the mouse."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._press(self._found(role, name)[0])
                return
            except (IndexError, BidiError):  # not there yet, or drawn anew this moment
                assert time.monotonic() < deadline, f"there is no {role} named {name}"
                time.sleep(0.02)

    def _press(self, node: Message) -> None:
        target = {"sharedId": node["sharedId"]}
        enabled = self._call("(node) => !node.disabled && node.checkVisibility()", target)
        if not enabled:
            raise BidiError("it cannot be pressed")
        origin = {"type": "element", "element": target}
        moves: list[Message] = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": LEFT},
            {"type": "pointerUp", "button": LEFT},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def type(self, text: str) -> None:
        keys = [{"type": kind, "value": sign} for sign in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": keys})

    def _act(self, source: Message) -> None:
        self._session.do("input.performActions", context=self._context, actions=[source])

    @property
    def state(self) -> str:
        """What the page says of the agent."""
        said: str = self.ask("document.querySelector('[role=status][aria-label=\"Agent state\"]')?.textContent.trim()")
        return said

    def is_(self, state: str) -> None:
        until(lambda: self.state == state, PATIENCE, f"agent state {state}")

    def log_in(self) -> Agent:
        self.click("Agent", "textbox")
        self.type(f"{self.agent}{TAB}{PASSWORD.format(self.agent)}")
        self.click("Log in")
        self.is_("Signed out")
        return self

    def sign_in(self) -> Agent:
        """Until calls can come."""
        self.click("Sign in")
        self.is_("Idle")
        self.until("cordboard.state.media === 'connected' && cordboard.peer.connectionState === 'connected'")
        return self

    def ready(self) -> None:
        """Idle, whatever a call before has left."""
        if self.shows("button", "Hang up"):
            self.click("Hang up")
            self.is_("After-call work")
        if self.shows("button", "Start answering"):
            self.click("Start answering")
        self.is_("Idle")

    def answer(self) -> None:
        self.click("Answer")
        self.is_("Talking")

    def leave(self) -> None:
        """Signs out, whatever the state, so that the next test meets nobody."""
        with contextlib.suppress(AssertionError):
            if self.shows("button", "Hang up"):
                self.click("Hang up")
                self.is_("After-call work")
            if self.shows("button", "Sign out"):
                self.click("Sign out")
                self.is_("Signed out")
        self._session.do("browser.removeUserContext", userContext=self._user)
        assert self.problems == []

    def picture(self, file: Path) -> None:
        """What a person sees now, as PNG."""
        taken = self._session.do("browsingContext.captureScreenshot", context=self._context)
        file.write_bytes(base64.b64decode(taken["data"]))

    # --- as an instrument ---------------------------------------------------------------------------------------

    def ask(self, expression: str) -> Any:
        """The value of an expression; a promise is awaited."""
        return json.loads(self._call(f"async () => JSON.stringify(await ({expression})) ?? 'null'"))

    def _call(self, function: str, *arguments: Message) -> Any:
        answer = self._session.do(
            "script.callFunction",
            functionDeclaration=function,
            target={"context": self._context},
            arguments=list(arguments),
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise BidiError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = PATIENCE) -> None:
        until(lambda: self.ask(f"Boolean({expression})"), seconds, expression)

    def listen(self) -> Heard:
        return Heard(*self.ask("probe.listen()"))

    def hears(self, hertz: float | None, seconds: float = 8.0) -> Heard:
        """Waits until the page hears that tone, or silence where None. Raises AssertionError."""
        deadline = time.monotonic() + seconds
        while True:
            heard = self.listen()
            if heard.db < -70 if hertz is None else abs(heard.hertz - hertz) < 5 and heard.db > -40:
                return heard
            assert time.monotonic() < deadline, f"it hears {heard}, not {hertz} Hz"
            time.sleep(0.05)
