"""Whose a datagram is, and how a sockaddr is read."""

import random

import numpy as np
import pytest
from cordboard.switch.sockaddr import NAME, Owners, host_and_port, name_length, socket_name

ADDRESSES = ("192.0.2.7", "192.0.2.8", "198.51.100.7", "2001:db8::7", "2001:db8::8", "::")


@pytest.mark.parametrize(("host", "port"), [("192.0.2.7", 1), ("2001:db8::7", 65535)])
def test_a_sockaddr_is_read_as_it_is_written(host: str, port: int) -> None:
    assert host_and_port(socket_name(host, port)) == (host, port)
    assert name_length(socket_name(host, port)) == (28 if ":" in host else 16)


def names(pairs: list[tuple[int, str, int]]) -> np.ndarray:
    octets = b"".join(socket_name(address, number) for _, address, number in pairs)
    return np.frombuffer(octets, np.uint8).reshape(-1, NAME).copy()


def ports(pairs: list[tuple[int, str, int]]) -> np.ndarray:
    return np.array([port for port, _, _ in pairs], np.int32)


@pytest.mark.parametrize("n", [0, 1, 40])
def test_whose_a_datagram_is_is_what_a_dictionary_says(n: int) -> None:
    rng = random.Random(n)
    every = [(port, address, number) for port in range(3) for address in ADDRESSES for number in (1, 2, 4000, 65535)]
    owned = {pair: rng.randrange(16) for pair in rng.sample(every, n)}
    owners = Owners.of(ports(list(owned)), names(list(owned)), np.array(list(owned.values()), np.intp))
    asked = names(every)
    six = asked[:, 0] == 10
    asked[six, 4:8] = rng.randbytes(1)[0]  # a flow label that varies from packet to packet
    assert owners.find(ports(every), asked).tolist() == [owned.get(pair, -1) for pair in every]
    assert owners.find(ports([]), names([])).tolist() == []
