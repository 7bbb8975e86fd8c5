"""What administrators see of the systems that are told by webhooks, and what they may do about them.

    a test       sends a letter of no event, whatever waits: does it answer, and take our signature?
    a hurry      tries all that waits now, where its next try would come in an hour

Raises NotAllowedError for whoever is no administrator, NotThereError for a webhook that is none, and StoreError.
"""

from __future__ import annotations

import structlog

from .store.access import NotAllowedError, NotThereError, Viewer
from .store.outbox import Outbox, Standing
from .webhooks import Answer, Webhooks

log = structlog.get_logger()


class OtherSystems:
    def __init__(self, outbox: Outbox, webhooks: Webhooks) -> None:
        self._outbox = outbox
        self._webhooks = webhooks

    async def standings(self, viewer: Viewer) -> tuple[Standing, ...]:
        _administers(viewer)
        return await self._outbox.standings()

    async def test(self, viewer: Viewer, webhook: str) -> Answer:
        _administers(viewer)
        answer = await self._webhooks.test(webhook)
        if answer is None:
            raise NotThereError
        log.info("webhook tested", webhook=webhook, agent=viewer.agent, answer=str(answer))
        return answer

    async def hurry(self, viewer: Viewer, webhook: str) -> None:
        _administers(viewer)
        if not await self._webhooks.hurry(webhook):
            raise NotThereError
        log.info("webhook hurried", webhook=webhook, agent=viewer.agent)


def _administers(viewer: Viewer) -> None:
    if viewer.role != "administrator":
        raise NotAllowedError
