"""Where telephone numbers are at home, as a program of its own. A shell.

    python -m cordboard.actors.gazetteer

A worker of `geography.py`: it reads lines of numbers in E.164 from standard input, as JSON, and answers each on
standard output with where these are at home, or null. What `phonenumbers` knows of it takes three seconds to load and
150 MB to keep, which nobody else is to wait for or to have.
"""

from __future__ import annotations

import json
import sys

import phonenumbers
from phonenumbers import geocoder


def place_of(number: str) -> tuple[int, str, str] | None:
    """(calling code, city, province), all English; None where no more than the country is known."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
    named = geocoder.description_for_number(parsed, "en")
    if not named or named == geocoder.country_name_for_number(parsed, "en") or parsed.country_code is None:
        return None
    return parsed.country_code, named, named.rpartition(", ")[2]


def main() -> None:
    for line in sys.stdin:
        print(json.dumps([place_of(number) for number in json.loads(line)]), flush=True)


if __name__ == "__main__":
    main()
