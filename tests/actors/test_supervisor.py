"""The supervisor over real, tiny processes that tell the test what happens to them over a Unix socket."""

from __future__ import annotations

import math
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing
from cordboard.actors import child
from cordboard.actors.child import Deaths, Policy, orphaned
from cordboard.actors.config import Config, Limits
from cordboard.actors.supervisor import AlreadyRunningError, end_leftovers, running, supervise

# cordboard: `running` looks for this word in the command line of a process.
CHILD = """
import os, select, signal, socket, sys
_, behaviour, name, path, *rest = sys.argv
signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
wire.connect(path)
say = lambda text: wire.send(f"{name} {text}".encode())
if cue := os.environ.get("CORDBOARD_CUE"):
    say(f"waits {os.getpid()}")
    if not os.read(int(cue), 1):
        say("dismissed")
        sys.exit(0)
if behaviour == "ready":
    print("ready https://localhost:8443/", flush=True)
    print("second line", flush=True)
say(f"started {os.getpid()}")
if behaviour == "slow":
    assert signal.sigwait(signals) == signal.SIGTERM
    print("ready at last", flush=True)
if behaviour == "die":
    sys.exit(3)
if behaviour == "unusable":
    sys.exit(2)
if behaviour == "lifeline":
    select.select([int(os.environ["CORDBOARD_LIFELINE"])], [], [])
    say("orphaned")
    sys.exit(0)
while True:
    number = signal.sigwait(signals)
    say(number.name)
    if number == signal.SIGTERM and behaviour != "stubborn":
        sys.exit(0)
"""
# Its first thread goes, at SIGTERM where it is told to wait, and its command line with it; another has its port until
# it is told to go too.
LINGERS = """
import ctypes, platform, signal, socket, sys, threading
_, path, when = sys.argv
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
wire.connect(path)
port = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=wire.recv, args=(1,)).start()
wire.sendall(f"{port.getsockname()[1]}\\n".encode())
if when == "told":
    signal.sigwait({signal.SIGTERM})
ctypes.CDLL(None).syscall({"aarch64": 93}.get(platform.machine(), 60), 0)  # exit(2), of one thread
"""
PATIENCE = 20.0
QUICK = Policy(first_delay=0.001, last_delay=0.01)


@attrs.define
class Scene:
    """A data directory, and what the children in it said."""

    data: Path
    wire: trio.socket.SocketType

    def argv(self, name: str, behaviour: str) -> list[str]:
        return [sys.executable, "-S", "-E", "-c", f"# cordboard{CHILD}", behaviour, name, str(self.data / "wire")]

    async def hear(self) -> str:
        with trio.fail_after(PATIENCE):
            return (await self.wire.recv(1000)).decode()

    async def started(self) -> dict[str, int]:
        """The process ids of media and control, once both said that they run, and their supervisor has written so."""
        words = [(await self.hear()).split() for _ in range(2)]
        assert {word[1] for word in words} == {"started"}
        pids = {word[0]: int(word[2]) for word in words}
        await self.written(pids)
        return pids

    async def written(self, pids: dict[str, int]) -> None:
        """A child may speak before its number is written down."""
        with trio.fail_after(PATIENCE):
            while {name: self.pid(name) for name in pids} != pids:
                await trio.sleep(0.01)

    def pid(self, name: str) -> int | None:
        return running(self.data, name)


@asynccontextmanager
async def scene(data: Path) -> AsyncIterator[Scene]:
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as wire:
        await wire.bind(str(data / "wire"))
        yield Scene(data, wire)


def centre(
    data: Path,
    tell: Callable[[Scene], Coroutine[object, object, None]],
    control: str = "stay",
    media: str = "stay",
    drain_seconds: float = 5.0,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """The exit code of a supervisor over such children, while `tell` goes on."""

    async def run() -> int:
        code = -1

        async def supervised(stage: Scene) -> None:
            nonlocal code
            config = Config(limits=Limits(drain_seconds=drain_seconds))
            children = stage.argv("control", control), stage.argv("media", media)
            code = await supervise(config, data, *children, QUICK, on_ready)

        with trio.fail_after(PATIENCE):
            async with scene(data) as stage, trio.open_nursery() as nursery:
                nursery.start_soon(supervised, stage)
                await tell(stage)
        return code

    return trio.run(run)


def test_both_run_and_end_in_order(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        assert {name: stage.pid(name) for name in pids} == pids
        run = stage.data / "run"
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        assert (run / "supervisor.pid").read_text() == f"{os.getpid()}\n"
        os.kill(os.getpid(), signal.SIGTERM)
        assert [await stage.hear(), await stage.hear()] == ["control SIGTERM", "media SIGTERM"]

    assert centre(tmp_path, tell) == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["lock"]


def test_what_a_killed_supervisor_left_is_ended_before_anything_begins(tmp_path: Path) -> None:
    """Control without a word: its calls are to be gone on with. Media may close its files."""
    run = tmp_path / "run"
    run.mkdir()

    async def tell(stage: Scene) -> None:
        left = {"control": stage.argv("old-control", "stubborn"), "media": stage.argv("old-media", "stay")}
        async with trio.open_nursery() as nursery:
            old = {}
            for name, argv in left.items():
                old[name] = await trio.lowlevel.open_process(argv)
                nursery.start_soon(old[name].wait)
                assert (await stage.hear()).startswith(f"old-{name} started")
                (run / f"{name}.pid").write_text(f"{old[name].pid}\n")
            await supervised(stage)
            assert {name: each.returncode for name, each in old.items()} == {"control": -signal.SIGKILL, "media": 0}

    async def supervised(stage: Scene) -> None:
        async with trio.open_nursery() as nursery:
            control, media = stage.argv("control", "stay"), stage.argv("media", "stay")
            nursery.start_soon(supervise, Config(), tmp_path, control, media, QUICK)
            assert await stage.hear() == "old-media SIGTERM"
            await stage.started()
            os.kill(os.getpid(), signal.SIGTERM)
            assert [await stage.hear(), await stage.hear()] == ["control SIGTERM", "media SIGTERM"]

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with scene(tmp_path) as stage:
                await tell(stage)

    trio.run(main)


@pytest.mark.parametrize(("name", "when"), [("control", "at once"), ("media", "told")])
def test_what_was_left_is_waited_for_until_its_ports_are_free(tmp_path: Path, name: str, when: str) -> None:
    """Control is dying already. Media dies slowly, as what has much memory does; neither has a command line then."""
    run = tmp_path / "run"
    run.mkdir()

    async def main() -> None:
        with trio.fail_after(PATIENCE), trio.socket.socket(trio.socket.AF_UNIX) as listener:
            await listener.bind(str(tmp_path / "wire"))
            listener.listen()
            argv = [sys.executable, "-S", "-E", "-c", f"# cordboard{LINGERS}", str(tmp_path / "wire"), when]
            async with trio.open_nursery() as nursery:
                left = await trio.lowlevel.open_process(argv)
                nursery.start_soon(left.wait)
                wire, _ = await listener.accept()
                with wire:
                    port = int(await wire.recv(100))
                    (run / f"{name}.pid").write_text(f"{left.pid}\n")
                    if when == "at once":
                        await gone(left.pid)
                    async with trio.open_nursery() as ending:
                        ending.start_soon(end_leftovers, tmp_path)
                        if when == "told":
                            await gone(left.pid)
                            await trio.testing.wait_all_tasks_blocked(0.1)
                            assert running(tmp_path, name) is None
                            await wire.send(b"x")
                    socket.create_server(("127.0.0.1", port)).close()

    async def gone(pid: int) -> None:
        while Path(f"/proc/{pid}/cmdline").read_bytes():
            await trio.sleep(0.01)

    trio.run(main)


def test_ctrl_c_drains_too(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        await stage.started()
        os.kill(os.getpid(), signal.SIGINT)
        assert [await stage.hear(), await stage.hear()] == ["control SIGTERM", "media SIGTERM"]

    assert centre(tmp_path, tell) == 0


def test_hang_up_is_for_control_and_ends_nothing(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        os.kill(os.getpid(), signal.SIGHUP)
        assert await stage.hear() == "control SIGHUP"
        assert {name: stage.pid(name) for name in pids} == pids
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell, control="ready") == 0


def test_hang_up_before_control_is_ready_is_told_when_it_is(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        os.kill(os.getpid(), signal.SIGHUP)
        await trio.testing.wait_all_tasks_blocked(0.1)
        os.kill(pids["control"], signal.SIGTERM)  # "slow" takes it for its cue
        assert await stage.hear() == "control SIGHUP"
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell, control="slow") == 0


def test_a_pid_file_that_cannot_be_written_costs_no_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        (stage.data / "run" / ".media.pid").mkdir()  # instead of a full disk
        os.kill(pids["media"], signal.SIGKILL)
        assert (await stage.hear()).startswith("media started")
        os.kill(os.getpid(), signal.SIGTERM)
        assert [await stage.hear(), await stage.hear()] == ["control SIGTERM", "media SIGTERM"]

    assert centre(tmp_path, tell) == 0
    assert "the pid file of media: Is a directory" in capfd.readouterr().err


def test_a_process_that_cannot_be_had_is_tried_again_and_then_given_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def run() -> int:
        missing = [str(tmp_path / "no-such-program")]
        with trio.fail_after(PATIENCE):
            return await supervise(Config(), tmp_path, missing, None, QUICK)

    assert trio.run(run) == 1
    assert capfd.readouterr().err.count("control cannot be started: No such file") == QUICK.deaths


@pytest.mark.parametrize("victim", ["control", "media"])
def test_a_killed_child_is_back_and_the_other_never_left(tmp_path: Path, victim: str) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        other = ({"control", "media"} - {victim}).pop()
        os.kill(pids[victim], signal.SIGKILL)
        name, word, pid = (await stage.hear()).split()
        assert (name, word) == (victim, "started")
        assert int(pid) != pids[victim]
        await stage.written({victim: int(pid)})
        assert stage.pid(other) == pids[other]
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell) == 0


def test_an_understudy_takes_the_place_of_an_engine_that_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "UNDERSTUDY_SECONDS", 0.0)

    async def tell(stage: Scene) -> None:
        said = [(await stage.hear()).split() for _ in range(3)]
        pids = {(name, word): int(pid) for name, word, pid in said}
        assert set(pids) == {("control", "started"), ("media", "started"), ("media", "waits")}
        for _ in range(3):
            assert pids["media", "started"] != pids["media", "waits"]
            await stage.written({"media": pids["media", "started"]})
            os.kill(pids["media", "started"], signal.SIGKILL)
            said = [(await stage.hear()).split() for _ in range(2)]
            after = {(name, word): int(pid) for name, word, pid in said}
            assert after["media", "started"] == pids["media", "waits"]
            pids = after
        os.kill(os.getpid(), signal.SIGTERM)
        assert [await stage.hear() for _ in range(2)] == ["control SIGTERM", "media SIGTERM"]
        left.append(pids["media", "waits"])

    left: list[int] = []
    assert centre(tmp_path, tell) == 0
    assert not Path(f"/proc/{left[0]}").exists()


def test_an_understudy_that_died_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "UNDERSTUDY_SECONDS", 0.0)

    async def tell(stage: Scene) -> None:
        said = [(await stage.hear()).split() for _ in range(3)]
        pids = {(name, word): int(pid) for name, word, pid in said}
        os.kill(pids["media", "waits"], signal.SIGKILL)
        os.kill(pids["media", "started"], signal.SIGKILL)
        said = [(await stage.hear()).split() for _ in range(2)]
        assert {(name, word) for name, word, _ in said} == {("media", "started"), ("media", "waits")}
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell) == 0


@pytest.mark.parametrize(("control", "media"), [("die", "stay"), ("stay", "die")])
def test_a_child_that_dies_too_often_ends_it_all(
    tmp_path: Path, control: str, media: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def tell(stage: Scene) -> None:
        lives = 0
        while lives < Policy().deaths + 1:
            lives += "started" in await stage.hear()

    assert centre(tmp_path, tell, control, media) == 1
    assert "ended with code 3 and has died too often: giving up" in capfd.readouterr().err


def test_a_child_whose_input_is_unusable_is_not_started_again(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        # Media may be told to end before it can say that it started.
        while not (await stage.hear()).startswith("control started"):
            pass

    assert centre(tmp_path, tell, control="unusable") == 2


def test_a_child_that_does_not_end_is_killed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cordboard.actors.supervisor.CONTROL_SECONDS", 0.05)

    async def tell(stage: Scene) -> None:
        await stage.started()
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell, control="stubborn", drain_seconds=0) == 1
    assert "control does not end after 0.05 s and is killed" in capfd.readouterr().err


def test_a_second_term_is_told_to_control(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await stage.hear() == "control SIGTERM"
        os.kill(os.getpid(), signal.SIGTERM)
        assert await stage.hear() == "control SIGTERM"
        os.kill(pids["control"], signal.SIGKILL)

    assert centre(tmp_path, tell, control="stubborn") == 0


def test_ready_is_printed_and_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        os.kill(pids["control"], signal.SIGKILL)
        await stage.hear()
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell, control="ready", on_ready=lambda: print("welcome", flush=True)) == 0
    out, err = capfd.readouterr()
    assert out == "ready https://localhost:8443/\nwelcome\nsecond line\nsecond line\n"
    assert "control is ready again" in err


def test_a_second_supervisor_is_refused(tmp_path: Path) -> None:
    async def tell(stage: Scene) -> None:
        pids = await stage.started()
        with pytest.raises(AlreadyRunningError, match="another cordboard"):
            await supervise(Config(), stage.data, ["false"], None)
        assert {name: stage.pid(name) for name in pids} == pids
        os.kill(os.getpid(), signal.SIGTERM)

    assert centre(tmp_path, tell) == 0


SUPERVISOR = """
import sys, trio
from pathlib import Path
from cordboard.actors import child
from cordboard.actors.config import Config
from cordboard.actors.supervisor import supervise
split = sys.argv.index("--")
child.UNDERSTUDY_SECONDS = 0.0
trio.run(supervise, Config(), Path(sys.argv[1]), sys.argv[2:split], sys.argv[split + 1:])
"""


def test_children_hear_of_a_supervisor_killed_outright_and_the_next_may_start(tmp_path: Path) -> None:
    async def run() -> None:
        async with scene(tmp_path) as stage:
            control, media = stage.argv("control", "lifeline"), stage.argv("media", "lifeline")
            argv = [sys.executable, "-c", SUPERVISOR, str(tmp_path), *control, "--", *media]
            process = await trio.lowlevel.open_process(argv, stdin=subprocess.DEVNULL)
            said = {tuple((await stage.hear()).split()[:2]) for _ in range(3)}
            assert said == {("control", "started"), ("media", "started"), ("media", "waits")}
            process.kill()
            await process.wait()
            assert {await stage.hear() for _ in range(3)} == {
                "control orphaned",
                "media orphaned",
                "media dismissed",
            }

    trio.run(run)

    async def tell(stage: Scene) -> None:
        await stage.started()
        os.kill(os.getpid(), signal.SIGTERM)

    (tmp_path / "wire").unlink()
    assert centre(tmp_path, tell) == 0


def test_a_child_without_a_supervisor_is_never_orphaned(autojump_clock: trio.testing.MockClock) -> None:
    async def run() -> None:
        with trio.move_on_after(3600) as waited:
            await orphaned()
        assert waited.cancelled_caught

    trio.run(run, clock=autojump_clock)


# --- without processes ------------------------------------------------------------------------------------------


def test_delays_grow_and_five_deaths_in_thirty_seconds_are_too_many() -> None:
    deaths = Deaths(Policy())
    assert [deaths.add(float(at)) for at in range(5)] == [0.1, 0.2, 0.4, 0.8, math.inf]


def test_old_deaths_are_forgotten() -> None:
    deaths = Deaths(Policy())
    assert [deaths.add(10.0 * at) for at in range(20)] == [0.1, 0.2, 0.4] + [0.4] * 17


@pytest.mark.parametrize("content", ["", "x", "-1", "0", "999999999", str(os.getppid()) + "x"])
def test_a_pid_file_of_nobody_is_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "control.pid").write_text(content)
    assert running(tmp_path, "control") is None
    assert running(tmp_path, "media") is None


def test_a_pid_of_another_program_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "control.pid").write_text("1")
    assert running(tmp_path, "control") is None


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)
