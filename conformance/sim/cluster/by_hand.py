"""What may go wrong with a cluster, said in lines of text: `lose sim-0`, `pause 30`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from conformance.sim.apiserver import Interruption
from conformance.sim.cluster.running import SimulatedCluster

INTERRUPTIONS: Final[Mapping[str, Interruption]] = {
    "down": Interruption.DOWN,
    "pause": Interruption.PAUSED,
    "unavailable": Interruption.UNAVAILABLE,
}
HELP: Final = f"lose NODE, or {', '.join(INTERRUPTIONS)} with a number of seconds"


def obey(cluster: SimulatedCluster, lines: Iterable[str], tell: Callable[[str], object]) -> None:
    """Carry out one line after the other until there are no more.

    Args:
        cluster: The cluster; only one with an API server of its own can be interrupted.
        lines: `lose NODE` takes the machine of a node away. `down SECONDS` ends the API server, `unavailable SECONDS`
            makes it answer 503, and `pause SECONDS` makes it not answer, each for some real seconds.
        tell: Called with a line for each that cannot be carried out.
    """
    for line in filter(None, map(str.strip, lines)):
        try:
            _read(cluster, line)()
        except (KeyError, ValueError, RuntimeError) as error:
            tell(f"cannot do {line!r} ({error}); what can be done: {HELP}")


def _read(cluster: SimulatedCluster, line: str) -> Callable[[], None]:
    word, _, argument = line.partition(" ")
    if word == "lose":
        return partial(cluster.lose, argument.strip())
    return partial(cluster.interrupt, INTERRUPTIONS[word], float(argument))
