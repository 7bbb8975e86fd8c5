"""What an organisation has that is accepted, and yet is not all that it may be taken for.

`cordboard check` and `import` say it where the file is read, and the log where the organisation is taken up. Nothing
here stops anybody: what is missing may be on its way.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import gate
from .keys import IpNetwork
from .organisation import Organisation
from .routes import ToNumber, to_onward


def warnings(organisation: Organisation) -> list[str]:
    """A line each, of what holds of the file as well as of what is stored."""
    return [*_of_emergencies(organisation), *_barred_onward(organisation), *_of_another(organisation)]


def missing(organisation: Organisation) -> list[str]:
    """What nothing goes on without, and what that means, a line each."""
    found = []
    if not organisation.trunks:
        found.append("no [[trunk]]: no call comes in, and none goes out")
    if not organisation.agents:
        found.append("no [[agent]]: nobody can log in")
    if organisation.trunks and not organisation.numbers:
        found.append("no [[number]]: whatever is dialled leads nowhere")
    return found


def _of_emergencies(organisation: Organisation) -> Iterator[str]:
    """An emergency call asks no rule."""
    for rule in organisation.dialling:
        target = gate.read(rule.begins, organisation.country)
        if target is None or not target.emergency:
            continue
        label = f'dialling rule "{rule.begins}"'
        if rule.deny is not None:
            yield f"{label}: it is an emergency number of {organisation.country}, and is dialled nevertheless"
        elif rule.trunks:
            decided = gate.decide(organisation, rule.begins, "")
            ways = () if isinstance(decided, gate.Barred) else decided.trunks
            in_turn = ", then ".join(f'"{trunk}"' for trunk in ways)
            yield (
                f"{label}: its trunks do not count, as it is an emergency number of {organisation.country}, which goes "
                f"by any trunk that is up: {in_turn or 'there is none that takes calls out'}"
            )


def _barred_onward(organisation: Organisation) -> Iterator[str]:
    """Numbers to which no call would get out: their callers would hear goodbye."""
    for queue in organisation.queues:
        for key, written in (("overflow", queue.overflow), ("closed", queue.closed)):
            to = to_onward(written)
            decided = gate.decide(organisation, to.number, "") if isinstance(to, ToNumber) else None
            if isinstance(decided, gate.Barred):
                yield f'queue "{queue.id}" {key}: {decided.words}'


def _of_another(organisation: Organisation) -> Iterator[str]:
    """Calls that come from there are those of the first trunk that has it."""
    first: dict[IpNetwork, str] = {}
    for trunk in organisation.trunks:
        for peer in trunk.peers:
            if (other := first.setdefault(peer, trunk.id)) != trunk.id:
                yield f'trunk "{trunk.id}": calls from {peer} come by trunk "{other}", which has it too'
