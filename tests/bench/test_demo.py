"""What the demonstration says of itself."""

import pytest
from attrs import evolve
from cordboard.actors.config import Config
from cordboard.actors.organisation import parse_organisation
from cordboard.bench.demo import SAMPLE, welcome


@pytest.mark.parametrize(("port", "phone"), [(5060, "127.0.0.1"), (5064, "127.0.0.1:5064")])
def test_a_telephone_is_told_the_port_where_it_is_not_the_usual_one(port: int, phone: str) -> None:
    config = Config()
    config = evolve(config, sip=evolve(config.sip, udp=(evolve(config.sip.udp[0], port=port),)))
    said = welcome(config, parse_organisation(SAMPLE))
    assert f"sip:600@{phone} (echo)" in said
    assert "https://127.0.0.1:8443/" in said
    for agent in ("1001", "1002", "1003"):
        assert f"password harbour-{agent}" in said
