"""A call's recording, as an agent finds, sees and hears it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from cordboard.switch import encoder
from cordboard.switch.jobs import peaks_of
from cordboard.switch.recfile import RATE, Chunk, Header
from playwright.sync_api import Page, expect

from tests.page.callbook import four_calls, lines, listed, opened
from tests.page.kept import Message, call
from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import Desk

pytestmark = pytest.mark.peer("chromium")


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    return four_calls(page, switch)


def position(page: Page) -> float:
    return float(page.get_by_role("slider", name="Position").get_attribute("aria-valuenow") or -1)


def test_a_recording_is_drawn_from_its_peaks_and_played_in_ranges(desk: Desk, page: Page, switch: Switch) -> None:
    desk.log_in()
    opened(page)
    player = page.get_by_role("region", name="Recording")
    expect(player).to_contain_text("0:00 / 1:00")
    expect(player).to_contain_text("Customer")
    assert switch.kept.ranges == []  # nothing of the sound before it is played: the audit tells who listened
    slider = page.get_by_role("slider", name="Position")
    slider.focus()
    for key, lands in (("ArrowRight", 5), ("PageUp", 35), ("ArrowLeft", 30), ("End", 60), ("Home", 0), ("PageUp", 30)):
        page.keyboard.press(key)
        assert position(page) == lands
    assert slider.get_attribute("aria-valuetext") == "0:30 of 1:00"
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    eventually(lambda: 31 <= position(page) <= 36)
    assert "whole" not in switch.kept.ranges
    box = slider.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    eventually(lambda: 44 <= position(page) <= 48)
    page.get_by_role("combobox", name="Speed").select_option("2")
    eventually(lambda: position(page) >= 50, within=4)  # twice as fast: some 2.5 s
    slider.press(" ")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


STEP_S, STEP_HZ, STEPS = 10, 60, 30
EAR = """
const Plain = window.Audio;
window.Audio = class extends Plain {
  constructor(...what) {
    super(...what);
    window.player = this;
  }
};
// When what plays is another tone than before: [position in the recording, Hz].
window.overhear = () => {
  const context = new AudioContext({ sampleRate: 48000 });
  const ear = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
  const source = new MediaElementAudioSourceNode(context, { mediaElement: player });
  source.connect(ear).connect(context.destination);
  const bins = new Float32Array(4096);
  window.tones = [];
  setInterval(() => {
    ear.getFloatFrequencyData(bins);
    const best = bins.indexOf(bins.reduce((most, one) => Math.max(most, one)));
    const hertz = 20 * Math.round((best * 48000) / 8192 / 20);
    if (bins[best] > -40 && tones.at(-1)?.[1] !== hertz) tones.push([player.currentTime, hertz]);
  }, 10);
};
"""


def long_call(folder: Path, seconds: int) -> tuple[bytes, bytes]:
    """A recording as the switch makes it, in Opus: on the left another tone every 10 s, on the right nothing."""
    t = np.arange(RATE) / RATE
    chunks = []
    for second in range(seconds):
        hertz = 400 + STEP_HZ * (second // STEP_S % STEPS)
        frames = np.zeros((50, 2, 160), np.int16)
        frames[:, 0] = (8000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16).reshape(50, 160)
        chunks.append(Chunk(50 * second, 50, frames.tobytes()).encode())
    raw, out = folder / "raw", folder / "call.opus"
    raw.write_bytes(Header(0.0, 0.0).encode() + b"".join(chunks))
    encoder.encode(raw, out, encoder.FORMATS["opus"], lambda seconds: None)
    return out.read_bytes(), peaks_of(out).read_bytes()


def test_seeking_in_a_long_recording_lands_where_it_says(
    page: Page, switch: Switch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds, crossing = 400, 280  # that far from its end by four keys
    switch.kept.sound, switch.kept.sound_type = long_call(tmp_path, seconds), "audio/ogg; codecs=opus"
    sound = {"state": "ready", "format": "opus", "seconds": float(seconds), "size": 1, "reason": ""}
    switch.kept.add(call("long", time.time() - seconds, ended=time.time(), sound=sound))
    page.add_init_script(EAR)
    Desk(page, switch).log_in()
    opened(page)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()
    page.evaluate("overhear()")
    slider = page.get_by_role("slider", name="Position")
    for key in ("End", *(4 * ["PageDown"]), "ArrowLeft"):
        slider.press(key)
    assert position(page) == crossing - 5
    page.get_by_role("combobox", name="Speed").select_option("2")
    page.evaluate(
        "window.began = performance.now(); player.onplaying = () => (window.waited = performance.now() - began)"
    )
    page.get_by_role("button", name="Play", exact=True).click()
    # beyond it: the first that a machine with much to do hears may be half a tone
    eventually(lambda: page.evaluate("player.currentTime") > crossing + 1, within=20)
    (_, first), (crossed, second) = page.evaluate("tones.slice(-2)")
    with capsys.disabled():
        print(
            f"\n{seconds} s of Opus, {len(switch.kept.sound[0]) / 1e6:.1f} MB: played {page.evaluate('waited'):.0f} ms "
            f"after the click on Play; what lies at {crossing} s was heard at {crossed:.2f} s; "
            f"{', '.join(switch.kept.ranges)}"
        )
    assert (first, second) == (400 + STEP_HZ * (27 % STEPS), 400 + STEP_HZ * (28 % STEPS))
    assert abs(crossed - crossing) < 0.5  # at double speed, by an ear of 0.17 s
    assert any(int(one.split("=")[1].split("-")[0]) > len(switch.kept.sound[0]) / 2 for one in switch.kept.ranges)


def test_a_call_that_rings_silences_the_recording(desk: Desk, page: Page, switch: Switch) -> None:
    page.add_init_script(
        "const Plain = Audio; window.Audio = class extends Plain { constructor() { super(); window.player = this; } }"
    )
    desk.sign_in()
    opened(page)
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Colleagues").click()
    page.get_by_role("tab", name="Calls").click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()  # it played on behind the other tab
    assert page.evaluate("player.paused") is False
    switch.offer(call="c8")
    desk.is_in("ringing")
    eventually(lambda: page.evaluate("player.paused"))


def test_a_new_call_closes_the_details_of_another_and_keeps_those_opened_since(
    desk: Desk, page: Page, switch: Switch
) -> None:
    desk.sign_in()
    details = opened(page)
    expect(details).to_be_visible()
    switch.offer(call="c8")
    desk.is_in("ringing")
    expect(details).to_have_count(0)
    page.get_by_role("tab", name="Calls").click()
    expect(lines(page)).to_have_count(4)
    opened(page, "+86 755 1234 5678")
    desk.button("Answer").click()
    desk.is_in("talking")
    expect(details.get_by_role("heading", name="+86 755 1234 5678")).to_be_visible()
    switch.end()
    desk.is_in("after_call_work")
    expect(details).to_be_visible()


def test_the_list_says_that_a_recording_is_made_and_then_that_it_is_there(
    desk: Desk, page: Page, switch: Switch
) -> None:
    fresh = call("fresh", time.time(), recording="encoding")
    switch.kept.add(fresh)
    desk.log_in()
    prepared = lines(page).nth(0).get_by_role("img", name="The recording is being prepared")
    expect(prepared).to_be_visible()
    asked = len(listed(switch))
    fresh["recording"] = "ready"
    expect(lines(page).nth(0).get_by_role("img", name="There is a recording")).to_be_visible()
    expect(prepared).to_have_count(0)
    assert len(listed(switch)) == asked + 1


@pytest.mark.long
def test_the_details_of_a_call_that_ends_go_on_to_its_recording(desk: Desk, page: Page, switch: Switch) -> None:
    recording: Message = {"state": "recording", "format": "", "seconds": 0.0, "size": 0, "reason": ""}
    lasting: Message = {"ended": None, "ended_by": "", "recording": "recording", "sound": recording}
    mine = call("c8", time.time(), number="+447911123456", **lasting)
    switch.kept.add(mine)
    desk.sign_in()
    switch.offer(call="c8")
    desk.button("Answer").click()
    opened(page, "+44")
    player = page.get_by_role("region", name="Recording")
    expect(player).to_contain_text("The call is still being recorded.")
    mine.update(ended=time.time(), ended_by="caller", recording="encoding", sound=recording | {"state": "encoding"})
    switch.end()
    expect(player).to_contain_text("The recording is being prepared…")
    mine.update(recording="ready", sound=call("x", 0)["sound"])
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()


def test_a_recording_that_is_being_made_is_waited_for(desk: Desk, page: Page, switch: Switch) -> None:
    sound: Message = {"state": "encoding", "format": "", "seconds": 0.0, "size": 0, "reason": ""}
    fresh = call("fresh", time.time(), number="+447911123456", sound=sound, recording="encoding")
    switch.kept.add(fresh)
    desk.log_in()
    opened(page, "+44")
    expect(page.get_by_role("region", name="Recording")).to_contain_text("The recording is being prepared…")
    sound |= {"state": "ready", "format": "wav", "seconds": 60.0}
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()


def test_a_recording_that_was_lost_says_why(desk: Desk, page: Page, switch: Switch) -> None:
    lost: Message = {"state": "lost", "format": "", "seconds": 0.0, "size": 0, "reason": "its file is damaged"}
    switch.kept.add(call("lost", time.time(), number="+447911123456", sound=lost, recording="lost"))
    desk.log_in()
    opened(page, "+44")
    player = page.get_by_role("region", name="Recording")
    expect(player).to_contain_text("The recording was lost: its file is damaged.")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("region", name="录音")).to_contain_text("录音已丢失：文件已损坏。")


def test_a_recording_that_is_not_whole_says_so_and_plays(desk: Desk, page: Page, switch: Switch) -> None:
    short: Message = {"state": "ready", "format": "wav", "seconds": 60.0, "size": 1}
    short["reason"] = "a part of it could not be written"
    switch.kept.add(call("short", time.time(), number="+447911123456", sound=short, recording="ready"))
    desk.log_in()
    opened(page, "+44")
    player = page.get_by_role("region", name="Recording")
    expect(player).to_contain_text("A part of this recording is missing: it could not be written.")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("region", name="录音")).to_contain_text("这段录音不完整：有一部分未能写入。")


def test_a_recording_of_others_is_not_offered(desk: Desk, page: Page, switch: Switch) -> None:
    theirs: Message = {"state": "withheld", "format": "", "seconds": 0.0, "size": 0, "reason": ""}
    switch.kept.add(call("theirs", time.time(), number="+447911123456", sound=theirs, recording="withheld"))
    desk.log_in()
    opened(page, "+44")
    player = page.get_by_role("region", name="Recording")
    expect(player).to_contain_text("Only those who talked in this call can hear it.")
    expect(player.get_by_role("button")).to_have_count(0)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("region", name="录音")).to_contain_text("只有参与这通电话的坐席可以收听录音。")


def test_a_waveform_or_a_sound_that_cannot_be_had_can_be_tried_again(desk: Desk, page: Page, switch: Switch) -> None:
    player = page.get_by_role("region", name="Recording")
    for path in ("/api/calls/c1/peaks", "/api/calls/c1/recording"):
        switch.kept.broken[path] = "503 Service Unavailable"
        if path.endswith("peaks"):
            desk.log_in()
            opened(page)
        else:
            page.get_by_role("button", name="Play", exact=True).click()
        expect(player.get_by_role("alert")).to_contain_text("The recording cannot be played now.")
        switch.kept.broken.clear()
        player.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_enabled()
