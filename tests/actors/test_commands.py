"""How the command line says what is in an organisation."""

from attrs import evolve
from cordboard.actors.commands import described
from cordboard.actors.organisation import parse_organisation

TEXT = """
[organisation]
name = "Harbour Travel"
[[trunk]]
id = "carrier"
peers = ["192.0.2.10"]
[[queue]]
id = "support"
name = "Support"
[[queue]]
id = "night"
name = "Night"
[[webhook]]
id = "crm"
url = "https://crm.example/hook"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""


def test_everything_that_is_there_is_counted() -> None:
    organisation = parse_organisation(TEXT)
    assert described(organisation) == 'organisation "Harbour Travel": 1 trunk, 2 queues, 1 webhook'
    assert described(evolve(organisation, trunks=(), queues=(), webhooks=())) == 'organisation "Harbour Travel": empty'
