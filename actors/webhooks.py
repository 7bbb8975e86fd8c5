"""Tells other systems what has happened, by HTTP: the letters of `store/outbox.py`. A shell.

A POST of JSON, signed as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`, and in `webhook-signature` the
HMAC-SHA256 of both and the body), is taken if the answer is 2xx; redirections are not followed. Each webhook has a task
of its own while letters for it are due, one after the other, so that a slow one holds up no other. What is not taken is
tried again, 5 s later and then ever more rarely, for `GIVE_UP_SECONDS`; where nobody answers at all, none of its other
letters is tried meanwhile. A letter may come twice, where an answer was lost: receivers know it by its id.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import importlib
import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import structlog
import trio
from attrs import define, frozen

from .alarms import WEBHOOK_FAILS
from .store.database import StoreError
from .store.outbox import Letter, Waiting

# Between two tries, in seconds: four times as long each time, up to an hour.
RETRY_SECONDS, RETRY_FACTOR, MAX_RETRY_SECONDS = 5.0, 4.0, 3600.0
# After so long nobody wants to know any more.
GIVE_UP_SECONDS = 3 * 86400.0
# For a connection, and for the answer.
PATIENCE_SECONDS = 10.0
# Tries in a row that make it an alarm: one may meet a restart.
ALARMING = 2
# How often what is over is cleared away, and how long a database that cannot be read is left alone.
CLEAR_SECONDS, STORE_SECONDS = 3600.0, 5.0

log = structlog.get_logger()


@frozen
class Answer:
    """What a webhook said: an HTTP status, or 0 and why there was none."""

    status: int
    trouble: str = ""

    @property
    def took(self) -> bool:
        return 200 <= self.status < 300

    @property
    def there(self) -> bool:
        """It answers, whatever it thinks of this letter; 429 and 503 say that it wants none now (RFC 6585, 9110)."""
        return self.status not in (0, 429, 503)

    def __str__(self) -> str:
        return self.trouble or f"HTTP {self.status}"


class Post(Protocol):
    """Sends a body with headers to an address; whatever goes wrong is in the answer."""

    async def __call__(self, url: str, body: bytes, headers: dict[str, str], /) -> Answer: ...

    async def aclose(self) -> None: ...


class Letters(Protocol):
    """The outbox; see `store.outbox.Outbox`."""

    on_letters: Callable[[], None]

    async def waiting(self) -> Waiting: ...

    async def next(self, webhook: str, now: float, /) -> Letter | None: ...

    async def taken(self, letter: Letter, now: float, /) -> None: ...

    async def failed(self, letter: Letter, trouble: str, due: float | None, /) -> None: ...

    async def clear(self, now: float, /) -> None: ...

    async def trial(self, webhook: str, now: float, /) -> Letter | None: ...

    async def hurry(self, webhook: str, now: float, /) -> bool: ...


class Alarms(Protocol):
    """Where operators look."""

    def alarm(self, text: str) -> None: ...

    def clear_alarm(self, text: str) -> None: ...


def signature(secret: str, letter: str, at: int, body: bytes) -> str:
    """`v1,` and the base64 of the HMAC-SHA256 over id, time and body; a secret `whsec_...` is base64, another its own
    octets."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        with contextlib.suppress(ValueError):  # it may only look like one
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    made = hmac.digest(key, f"{letter}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(made).decode()}"


def retry_after(tries: int) -> float:
    """How long after so many tries the next one is."""
    return min(MAX_RETRY_SECONDS, RETRY_SECONDS * math.pow(RETRY_FACTOR, min(tries - 1, 10)))


@define
class _Hook:
    """How one webhook fares: how often in a row it failed, until when it is left alone, and its alarm."""

    failures: int = 0
    rests_until: float = -math.inf
    alarm: str = ""
    at_work: bool = False


class Webhooks:
    """Sends what is in the outbox; `run` until it is cancelled. `counters`: taken, failed (tries), given_up."""

    def __init__(self, letters: Letters, alarms: Alarms, clock: Callable[[], float], post: Post | None = None) -> None:
        self._letters = letters
        self._alarms = alarms
        self._clock = clock
        self._post = post or Http()
        self._hooks: dict[str, _Hook] = {}
        self._bell = trio.Event()
        self._cleared = -math.inf
        self.counters = Counter[str](taken=0, failed=0, given_up=0)
        self.waiting = 0
        letters.on_letters = self._ring

    def _ring(self) -> None:
        self._bell.set()

    async def run(self) -> None:
        async with contextlib.aclosing(self._post), trio.open_nursery() as nursery:
            while True:
                self._bell = trio.Event()
                try:
                    again = await self._look(nursery)
                except StoreError as error:
                    log.error("webhooks cannot be looked for", error=str(error))
                    again = STORE_SECONDS
                with trio.move_on_after(again):
                    await self._bell.wait()

    async def _look(self, nursery: trio.Nursery) -> float:
        """Begins with each webhook that has something to be told; gives for how long there is nothing more to do."""
        now = self._clock()
        if now >= self._cleared + CLEAR_SECONDS:
            await self._letters.clear(now)
            self._cleared = now
        waiting = await self._letters.waiting()
        self.waiting = waiting.letters
        for gone in self._hooks.keys() - waiting.due.keys():  # all was told, or it is not there any more
            if not self._hooks[gone].at_work:
                self._alarms.clear_alarm(self._hooks.pop(gone).alarm)
        again = self._cleared + CLEAR_SECONDS - now
        for name, due in waiting.due.items():
            hook = self._hooks.setdefault(name, _Hook())
            at = max(due, hook.rests_until)
            if hook.at_work:
                continue  # it rings when it is done
            if at <= now:
                hook.at_work = True
                nursery.start_soon(self._tell, name, hook)
            else:
                again = min(again, at - now)
        return again

    async def _tell(self, name: str, hook: _Hook) -> None:
        """One letter after the other, for as long as it listens."""
        try:
            while hook.rests_until <= self._clock():
                letter = await self._letters.next(name, self._clock())
                if letter is None:
                    break
                await self._send(letter, hook)
        except StoreError as error:  # what was sent and could not be noted is sent again
            log.error("webhooks cannot be noted", webhook=name, error=str(error))
            hook.rests_until = self._clock() + STORE_SECONDS
        finally:
            hook.at_work = False
            self._ring()

    async def test(self, webhook: str) -> Answer | None:
        """Sends a letter of no event now, whatever waits, and gives what is said to it; None: no such webhook."""
        letter = await self._letters.trial(webhook, self._clock())
        return None if letter is None else await self._posted(letter)

    async def hurry(self, webhook: str) -> bool:
        """Tries all that waits for it, now; False: no such webhook."""
        known = await self._letters.hurry(webhook, self._clock())
        if webhook in self._hooks:
            self._hooks[webhook].rests_until = -math.inf
        self._ring()
        return known

    async def _posted(self, letter: Letter) -> Answer:
        at, body = int(self._clock()), letter.body.encode()
        headers = {"content-type": "application/json", "webhook-id": letter.id, "webhook-timestamp": str(at)}
        if letter.secret:
            headers["webhook-signature"] = signature(letter.secret, letter.id, at, body)
        return await self._post(letter.url, body, headers)

    async def _send(self, letter: Letter, hook: _Hook) -> None:
        answer = await self._posted(letter)
        now = self._clock()
        if answer.took:
            self.counters["taken"] += 1
            self._alarms.clear_alarm(hook.alarm)
            hook.failures, hook.alarm = 0, ""
            await self._letters.taken(letter, now)
            return
        self.counters["failed"] += 1
        hook.failures += 1
        log.warning("webhook failed", webhook=letter.webhook, letter=letter.id, tries=letter.tries + 1, why=str(answer))
        if hook.failures >= ALARMING:
            self._alarms.clear_alarm(hook.alarm)
            hook.alarm = WEBHOOK_FAILS.says(webhook=letter.webhook, reason=answer)
            self._alarms.alarm(hook.alarm)
        if not answer.there:
            hook.rests_until = now + retry_after(hook.failures)
        due: float | None = now + retry_after(letter.tries + 1)
        if due is not None and due > letter.made + GIVE_UP_SECONDS:
            self.counters["given_up"] += 1
            log.error("webhook given up", webhook=letter.webhook, letter=letter.id, why=str(answer))
            due = None
        await self._letters.failed(letter, str(answer), due)


class Http:
    """Posts by HTTP; one client for all, made in a thread when something is to be sent first: it reads all authorities
    that there are."""

    def __init__(self) -> None:
        self._client: Any = None
        self._making = trio.Lock()

    async def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        async with self._making:
            if self._client is None:
                self._client = await trio.to_thread.run_sync(_client)
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as response:
                return Answer(response.status_code)  # what it says besides is not read
        except Exception as error:  # whatever a library meets there is that system's trouble, and no call's
            return Answer(0, str(error) or type(error).__name__)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _client() -> Any:
    # Where no webhook is configured, nobody waits for the library.
    httpx = importlib.import_module("httpx")
    return httpx.AsyncClient(timeout=PATIENCE_SECONDS, follow_redirects=False)
