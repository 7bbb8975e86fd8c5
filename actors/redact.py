"""The one place where what identifies a person is taken out of a log line.

Fields are redacted by their name, so a caller cannot forget: a number keeps its last two digits, a name or an address
keeps nothing but its length, and so does what stands for a number and is none (a SIP user may be a name). Free text,
that of an exception too, is searched for runs of digits as long as a telephone number.
"""

from __future__ import annotations

import re
import traceback

# Field names whose values are telephone numbers, or are made of them.
NUMBERS = frozenset({"number", "by_number", "caller", "dialled", "diverted_from", "to", "mobile", "uri"})
# ... and those that name a person or a place on the network.
NAMES = frozenset({"name", "caller_name", "address", "peer", "source", "email", "login"})

# ... and keys that somebody pressed: a card number, a secret.
KEYS = frozenset({"digit", "digits"})
# ... and free text.
TEXTS = frozenset({"text", "reason", "cause", "error"})

NUMBER = re.compile(r"[+0-9*#]*", re.ASCII)
LONG_DIGITS = re.compile(r"\+?[0-9]{5,}", re.ASCII)


def redact_number(value: str) -> str:
    """`+8613912345678` -> `***78`; what has fewer than five digits (an extension, a test number) stays."""
    return LONG_DIGITS.sub(lambda found: "***" + found.group()[-2:], value)


def redacted_trace(error: BaseException) -> str:
    """The traceback; what an exception says may hold what it was about."""
    return redact_number("".join(traceback.format_exception(error)))


def redacted(fields: dict[str, object]) -> dict[str, object]:
    """The same fields, fit for a log."""
    return {key: _one(key, value) for key, value in fields.items()}


def _one(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if key in KEYS:
        return "<keys>"
    if key in NAMES or (key in NUMBERS and not NUMBER.fullmatch(value)):
        return f"<{len(value)} characters>" if value else ""
    if key in NUMBERS or key in TEXTS:
        return redact_number(value)
    return value
