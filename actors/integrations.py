"""The tables of the organisation that tell of other systems: what is sent to them, and what of them is shown.

The rest of its tables are `entries.py`.
"""

from __future__ import annotations

from typing import Final

from attrs import field, frozen

from .keys import (
    ConfigError,
    flag,
    found,
    http_address,
    identifier,
    many,
    one_of,
    optional_origin,
    some_text,
    text,
    toml,
    web_address,
)

# What other systems may be told of.
SURVEY_ENDED: Final = "survey.ended"
VOICEMAIL_LEFT: Final = "voicemail.left"
# What an administrator tries a webhook with; nobody subscribes to it.
TEST: Final = "webhook.test"
EVENTS: Final = (SURVEY_ENDED, VOICEMAIL_LEFT)
# The shortest secret that signs: as long as what is recommended for it (RFC 2104 §3) is in any writing.
SHORTEST_SECRET = 24


def secret(value: object) -> str:
    if value and len(text(value)) < SHORTEST_SECRET:
        raise ConfigError(f"must have {SHORTEST_SECRET} characters or more, or be empty")
    return text(value)


def events(value: object) -> tuple[str, ...]:
    chosen = many(one_of(*EVENTS))(value)
    if not chosen:
        raise ConfigError(f"must name one or more of {', '.join(EVENTS)}, found {found(value)}")
    return chosen


@frozen
class SmsTemplate:
    """A text message that agents may send."""

    id: str = field(metadata=toml(identifier, "id", "Its name in programs.", used=False))
    text: str = field(metadata=toml(some_text, "text", "What is sent; {name} is a variable.", used=False))
    approved: bool = field(
        default=False, metadata=toml(flag, "true, false", "Only approved templates can be sent.", used=False)
    )


@frozen
class Window:
    """A page of another system shown beside the call."""

    name: str = field(metadata=toml(some_text, "text", "The tab's name.", used=False))
    url: str = field(metadata=toml(web_address, "URL", "Where it is; {number} and the like are filled in.", used=False))
    secret: str = field(
        default="", repr=False, metadata=toml(text, "text", "Signs the parameters; empty: no signature.", used=False)
    )
    origin: str = field(
        default="",
        metadata=toml(
            optional_origin, "origin", "Who may hear the same data by postMessage; empty: nobody.", used=False
        ),
    )


@frozen
class Webhook:
    """Another system that is told what has happened, by HTTP."""

    id: str = field(metadata=toml(identifier, "id", "Its name in programs, logs and alarms."))
    url: str = field(metadata=toml(http_address, "URL", "Where it is; a POST for each event."))
    secret: str = field(
        default="",
        repr=False,
        metadata=toml(secret, "text", "Signs what is sent (HMAC-SHA256); empty: nothing is signed."),
    )
    events: tuple[str, ...] = field(
        default=EVENTS,
        metadata=toml(events, "event or a list", f"What it is told of: {', '.join(EVENTS)}."),
    )
