"""What the web plane needs of the rest of the house, and nothing more.

The actors, the store and the composition root fit these by shape; none of them imports this module, because imports go
from web to actors only. Tests fit them with small real things.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from attrs import frozen


class Desk(Protocol):
    """The way to an agent's actor."""

    def tell(self, agent_id: str, message: object) -> bool:
        """Puts `message` into that agent's mailbox. False: there is no such agent, or its mailbox is full."""
        ...


class Login(Protocol):
    """Who is logged in. `token` is the secret that proves it, of letters, digits and `-._~`."""

    @property
    def agent(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def token(self) -> str: ...


class Accounts(Protocol):
    """Passwords and logins. Each raises `actors.store.StoreError` where the database cannot tell."""

    async def log_in(self, agent: str, password: str) -> Login | None:
        """A new login, or None where there is no such agent or the password is wrong, which take equally long."""
        ...

    async def who(self, token: str) -> Login | None:
        """The login that this token proves, or None: never was, has ended, or the agent is no more."""
        ...

    async def log_out(self, token: str) -> None:
        """Ends that login; nothing where there is none."""
        ...


# Whether the switch is ready to take calls, and facts about it that JSON can carry.
Health = Callable[[], tuple[bool, dict[str, object]]]

# What every page may know of the site: its language and time zone, by what a call on a mobile is taken, and whether it
# is a demonstration.
Site = Callable[[], dict[str, object]]


# Where the browser at an IP address reaches the media plane, and what it may measure that with, as JSON can carry it
# (`actors.reach`); None where no engine answers.
Reach = Callable[[str], Awaitable[dict[str, object] | None]]


@frozen
class WebSettings:
    """`[web]` of the configuration. Without `certificate` a self-signed one is made and kept in `data_dir`/tls."""

    listen: tuple[str, ...] = ("0.0.0.0:8443",)
    certificate: str = ""
    key: str = ""
    # Further host names and addresses that a certificate of our own making stands for.
    names: tuple[str, ...] = ()
    # Origins beside the host itself whose pages may log in and open a websocket, as `https://host:port`.
    origins: tuple[str, ...] = ()
    data_dir: Path = Path("data")
    # Where the sound of calls lies.
    recordings: Path = Path("data/recordings")
