"""One control process with its engine, in the process of the test."""

from __future__ import annotations

from pathlib import Path

import trio
from cordboard.actors.config import parse_config
from cordboard.actors.control import Control
from cordboard.actors.effects import Push, Reply
from prometheus_client import CollectorRegistry

INFRASTRUCTURE = """
[sip]
udp = "127.0.0.1:0"
tcp = "127.0.0.1:0"
[media]
process = "inline"
address = "127.0.0.1"
webrtc_port = 0
rtp_ports = "0"
[[access_point]]
id = "main"
address = "127.0.0.1"
port = 0
"""


# For a start, which takes a second on a machine that does nothing else, and many on another.
PATIENCE = 100.0


class NoPages:
    """A web that nobody visits."""

    def push(self, effect: Push) -> None:
        raise AssertionError(effect)

    def reply(self, effect: Reply) -> None:
        raise AssertionError(effect)

    def on_end(self, actor: str, reason: str) -> None:
        pass

    async def check_logins(self, control: Control) -> None:
        pass

    async def serve(self, control: Control, *, task_status: trio.TaskStatus[tuple[tuple[str, int], ...]]) -> None:
        task_status.started((("127.0.0.1", 8443),))
        await trio.sleep_forever()


def test_a_disk_that_does_not_answer_keeps_no_process_from_its_calls(tmp_path: Path) -> None:
    """The calls of a process that died wait for the next one for 30 s: it must not wait for recordings' disk."""

    async def main() -> None:
        threads = trio.to_thread.current_default_thread_limiter()
        control = Control(parse_config(INFRASTRUCTURE), tmp_path, NoPages(), CollectorRegistry())
        said: list[str] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run, said.append)
            while not hasattr(control, "store"):
                await trio.lowlevel.checkpoint()
            threads.total_tokens = 1
            threads.acquire_on_behalf_of_nowait(threads)  # nobody comes back from a look
            with trio.move_on_after(PATIENCE):
                while not said:
                    await trio.sleep(0.01)
            threads.release_on_behalf_of(threads)
            nursery.cancel_scope.cancel()
        assert len(said) == 1
        assert said[0].startswith("ready ")

    trio.run(main)
