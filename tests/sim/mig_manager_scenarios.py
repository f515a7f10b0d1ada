"""Short scenarios for mig-manager on the stand that its recordings are replayed on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from conformance.sim.hardware import NodeHardware
from conformance.spec import names
from tests.recordings.stand import Change, Plan, Stand, stand
from tests.recordings.stand_pods import OPERANDS

CONFIG = "/config.yaml"
LABELS = dict.fromkeys(OPERANDS.values(), "true")
PLUGIN, NVSM = (names.DEPLOY_PREFIX + operand for operand in ("device-plugin", "nvsm"))


def entry(profile: str, count: int) -> list[dict[str, Any]]:
    return [{"devices": "all", "mig-enabled": True, "mig-devices": {profile: count}}]


ENTRIES = {"seven": entry("1g.10gb", 7), "two": entry("3g.40gb", 2), "eight": entry("1g.10gb", 8)}
"""Two that fit and one that does not."""
FILE = json.dumps({"version": "v1", "mig-configs": ENTRIES})
Steps = Callable[[Stand], Awaitable[None]]


def play(steps: Steps, gpus: int = 1, **plan: Any) -> Stand:
    """Run steps on a stand with the file above as CONFIG; the stand as they left it."""

    async def on_a_stand() -> Stand:
        hardware = NodeHardware(["h100-80gb-hbm3"] * gpus)
        async with stand(hardware, Plan(**{"labels": LABELS} | plan)) as running:
            running.files[CONFIG] = FILE
            await steps(running)
            return running

    return asyncio.run(on_a_stand())


def asking(*configurations: str, **env: str) -> Steps:
    """Start mig-manager and ask for one configuration after the other."""

    async def steps(running: Stand) -> None:
        await running.start_manager({"CONFIG_FILE": CONFIG} | env)
        for number, configuration in enumerate(configurations, start=1):
            await running.label(names.MIG_CONFIG, configuration)
            await running.ended(number)

    return steps


def states(running: Stand) -> list[str]:
    return [change.set[names.MIG_CONFIG_STATE] for change in own(running) if names.MIG_CONFIG_STATE in change.set]


def own(running: Stand) -> list[Change]:
    return [change for change in running.changes if change.by == "mig-manager"]
