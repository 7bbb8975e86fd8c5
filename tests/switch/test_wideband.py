"""Stories of legs that speak G.722: 16 kHz on an RTP clock of 8000, beside legs of G.711; and of rooms of both."""

import numpy as np
import pytest
from cordboard.switch import protocol

from .conftest import G722, PCMA, PCMU, Far, World


def test_an_echo_leg_hears_itself_at_the_clock_of_rfc_3551(world: World) -> None:
    a = world.far("a", 4000, codec=G722)
    a.says(440)
    world.hears(a=["a"])
    world.run(2)
    assert {len(payload) for payload in a.payloads} == {160}
    assert {packet[3] for packet in a.packets} == {9}
    steps = np.diff(np.array([packet[1] for packet in a.packets], np.uint32))
    assert set(steps.tolist()) == {160}  # RFC 3551 §4.5.2
    assert a.tones() == [440]
    assert np.abs(a.heard(1.0)).max() == pytest.approx(8000, rel=0.05)


def test_legs_of_three_codecs_hear_each_other(world: World) -> None:
    fars = [
        world.far(name, 4000 + i, codec=codec)
        for i, (name, codec) in enumerate(zip("abc", (G722, G722, PCMA), strict=True))
    ]
    for far, hertz in zip(fars, (400, 700, 1100), strict=True):
        far.says(hertz, 6000)
    world.hears(a=["b", "c"], b=["a", "c"], c=["a", "b"])
    world.run(2)
    assert [far.tones() for far in fars] == [[700, 1100], [400, 1100], [400, 700]]


def test_a_leg_that_hears_nothing_is_sent_silence_without_a_gap(world: World) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001)
    b.says(660, 12000)
    world.run(1)
    assert len(a.payloads) == 50
    assert np.abs(a.heard(0.5)).max() < 8
    world.hears(a=["b"])
    world.run(1)
    assert a.tones(0.5) == [660]
    world.hears(a=[])
    world.run(1)
    assert np.abs(a.heard(0.5)).max() < 8


def test_who_begins_to_hear_a_leg_hears_nothing_of_before(world: World) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001)
    a.says(440, 20000)
    world.hears(b=["a"])
    world.run(1)
    world.hears(b=[])
    a.source = lambda n: np.zeros(len(n), np.int16)
    world.run(1)
    world.hears(b=["a"])
    world.run(1)
    assert np.abs(b.heard(0.9)).max() <= 16  # two steps of G.711's


@pytest.mark.parametrize("ptime", [10, 30, 60])
def test_packets_of_any_length_are_played_whole(world: World, ptime: int) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001)
    a.ptime = ptime
    a.says(440)
    world.hears(b=["a"])
    world.run(2)
    assert b.tones() == [440]
    bend = np.abs(np.diff(b.heard(1.0).astype(float), 2))
    assert bend.max() < 1500  # of the tone itself some 950 and G.711's steps; a cut is a multiple


def test_a_loss_is_concealed(world: World) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001)
    a.says(400)
    world.hears(b=["a"])
    world.run(1)
    lost = iter([True])
    world.lost = lambda far: far is a and next(lost, False)
    world.run(1)
    pcm = b.heard(1.0).astype(float)
    frames = np.sqrt(np.mean(pcm.reshape(-1, 160) ** 2, axis=1))
    assert frames.min() > 0.8 * frames.max()


def renegotiated(world: World, far: Far, codec: protocol.Codec) -> Far:
    """The far side's new offer changes its codec; it goes on from where it sends."""
    world.do(protocol.UpdateRtpLeg("a", "198.51.100.7", 4000, codec))
    world.fars.remove(far)
    made = Far(world, "198.51.100.7", 4000, codec, far.to)
    world.fars.append(made)
    return made


def test_a_leg_changes_its_codec_in_a_call_and_back(world: World) -> None:
    a, b = world.far("a", 4000), world.far("b", 4001)
    b.says(660)
    world.hears(a=["b"], b=["a"])
    for codec, hertz in ((G722, 440), (PCMA, 500), (G722, 550)):
        world.run(0.1)
        a = renegotiated(world, a, codec)
        a.says(hertz)
        world.run(1.5)
        assert {packet[3] for packet in a.packets} == {codec.payload_type}
        assert a.tones() == [660]
        assert b.tones() == [hertz]


def level(pcm: np.ndarray, rate: int, hertz: float) -> float:
    """dB of the tone of that frequency against one of amplitude 8000."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(pcm)) / rate) * np.hanning(len(pcm))
    return float(20 * np.log10(4 * abs(np.dot(pcm, wave)) / len(pcm) / 8000 + 1e-9))


def test_what_is_above_4_khz_passes_between_two_wideband_legs_only(world: World) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001, codec=G722)
    c = world.far("c", 4002, codec=PCMU)
    a.says(5000)
    world.hears(a=["b", "c"], b=["a", "c"], c=["a", "b"])
    world.run(2)
    assert level(b.heard(1.0), 16000, 5000) == pytest.approx(0, abs=0.5)
    narrow = c.heard(1.0)
    print(f"5 kHz at the narrowband leg: {max(level(narrow, 8000, at) for at in (3000, 5000)):.0f} dB")
    assert max(level(narrow, 8000, at) for at in (3000, 5000)) < -40  # 5 kHz folds to 3 kHz
    assert np.abs(a.heard(1.0)).max() < 8


@pytest.mark.parametrize("hertz", [1000, 3000, 3500, 3700, 3900, 4000, 4200, 5000, 6500])
def test_both_bands_make_the_whole(world: World, hertz: int) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001, codec=G722)
    a.says(hertz)
    world.hears(b=["a"])
    world.run(2)
    assert level(b.heard(1.0), 16000, hertz) == pytest.approx(0, abs=0.5)


def clicks(pcm: np.ndarray, hertz: float, rate: int) -> float:
    """How far what is heard of a tone ever bends from it, in parts of its own bend."""
    turn = 2 * np.pi * hertz / rate
    heard = pcm.astype(float)
    residue = heard[2:] - 2 * np.cos(turn) * heard[1:-1] + heard[:-2]
    return float(np.abs(residue).max() / (8000 * turn**2))


def test_a_room_turns_wideband_without_a_click(world: World) -> None:
    """C hears A's tone all the time, while who hears it at 16 kHz comes and goes; B hears it begin softly."""
    a = world.far("a", 4000, codec=G722)
    b, c = world.far("b", 4001, codec=G722), world.far("c", 4002, codec=G722)
    a.says(500)
    world.hears(c=["a"])
    world.run(1)
    for _ in range(3):
        world.hears(b=["a", "c"], c=["a", "b"])
        world.run(0.5)
        world.hears(b=[], c=["a"])
        world.run(0.5)
    assert clicks(c.heard()[16000:], 500, 16000) < 1.5
    assert clicks(b.heard(), 500, 16000) < 8  # its own beginnings and ends over 5 ms; a cut is 26


def test_mute_and_hold_of_wideband_legs_leak_nothing(new_world: type[World]) -> None:
    """G.722 has no octets of silence: not one of those that are sent depends on what is said, and they say nothing."""
    told = []
    for goes_on in (True, False):
        world = new_world(seed=5)
        a, b, c = (world.far(name, 4000 + i, codec=G722) for i, name in enumerate("abc"))
        a.says(440, 12000)
        c.says(5000, 12000)
        world.hears(b=["a", "c"])
        world.run(1)
        world.hears(b=[])
        if not goes_on:
            a.source = c.source = lambda n: np.zeros(len(n), np.int16)
        world.run(1)
        told.append(b.payloads)
        pcm = b.heard()
    assert told[0] == told[1]
    assert np.abs(pcm[15000:16000]).max() > 12000
    assert np.abs(pcm[16000 + 400 :]).max() < 100  # what is left is the codec's own ringing
    assert np.abs(pcm[16000 + 3200 :]).max() < 8


def test_a_lost_frame_takes_the_upper_band_along_softly(world: World) -> None:
    a, b = world.far("a", 4000, codec=G722), world.far("b", 4001, codec=G722)
    a.source = lambda n: np.rint(
        4000 * np.sin(2 * np.pi * 400 * n / 8000) + 4000 * np.sin(2 * np.pi * 5000 * n / 8000)
    ).astype(np.int16)
    world.hears(b=["a"])
    world.run(1)
    lost = iter([True])
    world.lost = lambda far: far is a and next(lost, False)
    world.run(1)
    pcm = b.heard(1.2)
    whole = [level(frame, 16000, 5000) for frame in pcm.reshape(-1, 320)]
    assert sum(one < -12 for one in whole) in (1, 2)  # of 8000: the tone of 4000 is at -6
    assert min(level(frame, 16000, 400) for frame in pcm.reshape(-1, 320)) > -9


def test_a_narrowband_leg_hears_the_same_whoever_listens_beside_it(new_world: type[World]) -> None:
    """A wideband listener in the room changes not one octet of what a narrowband one is sent."""
    told = []
    for codec in (PCMU, G722):
        world = new_world(seed=3)
        a, b, c = world.far("a", 4000), world.far("b", 4001), world.far("c", 4002, codec=codec)
        a.says(440)
        b.says(700)
        c.phase = 0.001
        world.hears(a=["b", "c"], b=["a", "c"], c=["a", "b"])
        world.run(2)
        told.append((a.payloads, b.payloads))
    assert told[0] == told[1]


def test_keys_are_tones_at_16_khz_where_no_events_were_agreed(world: World) -> None:
    a = world.far("a", 4000, codec=protocol.Codec("g722", 9))
    world.run(0.2)
    world.do(protocol.SendDigits("a", "5", 200, 60))
    world.run(0.5)
    pcm = a.heard()
    at = int(np.argmax(np.abs(pcm) > 1000)) + 400
    assert sorted(round(hertz / 10) for hertz in strongest(pcm[at : at + 2400])) == [77, 134]


def strongest(pcm: np.ndarray) -> list[float]:
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)), 32768))
    peaks = np.flatnonzero((spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    return [float(at * 16000 / 32768) for at in peaks[np.argsort(spectrum[peaks])[-2:]]]


def test_a_playlist_and_a_tone_are_heard_at_16_khz(world: World) -> None:
    a = world.far("a", 4000, codec=G722)
    world.do(protocol.OpenSource("t", protocol.Tone(3000.0)))
    world.hears(a=["t"])
    world.run(2)
    pcm = a.heard(1.0)
    assert level(pcm, 16000, 5000) < level(pcm, 16000, 3000) - 50  # no image of it
