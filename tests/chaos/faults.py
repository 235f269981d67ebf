"""What goes wrong and when: drawn from a seed before anything runs. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

SHORTEST, LONGEST = 1.0, 6.0  # seconds of one fault
EACH = 1.5  # seconds between two faults, on average

# Of a stream or of all streams of a provider.
OF_STREAMS = (
    "end",
    "reset",
    "silence",
    "garbage",
    "html",
    "short",
    "empty",
    "drip",
    "loop",
    "404",
    "500",
    "503",
    "429",
)
OF_MACHINES = ("die", "freeze", "restart", "tokens")
OF_LISTS = ("list 500", "list html", "list empty", "list cut", "list shorter")
HARMLESS = ("tokens", *OF_LISTS)  # what plays, plays on
# A refusal for the account rests it for 5, 10, … s; so long it may be left alone afterwards.
RESTS_LONG = ("429",)


@dataclass(frozen=True, slots=True)
class Fault:
    """From ``at`` on, for ``seconds``; ``channel`` None: all of the provider's."""

    at: float
    seconds: float
    provider: int
    channel: int | None
    kind: str

    def spoils(self, provider: int, channel: int) -> bool:
        """Whether it may keep this channel from playing at this provider."""
        mine = self.provider == provider and self.channel in (None, channel)
        return mine and self.kind not in HARMLESS


def draw(seed: int, seconds: float, providers: int, channels: int) -> list[Fault]:
    """The faults of a run, in the order of their beginning."""
    dice = random.Random(f"faults {seed}")
    faults: list[Fault] = []
    at = 2.0
    while at < seconds - LONGEST:
        kinds = dice.choices((OF_STREAMS, OF_MACHINES, OF_LISTS), (6, 2, 2))[0]
        kind = dice.choice(kinds)
        whole = kinds is not OF_STREAMS or dice.random() < 0.2
        faults.append(
            Fault(
                at,
                dice.uniform(SHORTEST, LONGEST),
                dice.randrange(providers),
                None if whole else dice.randrange(channels),
                kind,
            )
        )
        at += dice.expovariate(1 / EACH)
    return faults


def is_good(faults: list[Fault], provider: int, channel: int, since: float, until: float) -> bool:
    """Whether nothing spoils the channel at this provider between two moments.

    What failed is left alone for as long again as it had been failing of late, so a fault counts
    beyond its end.
    """
    mine = [fault for fault in faults if fault.spoils(provider, channel)]
    for fault in mine:
        late = sum(f.seconds for f in mine if fault.at - 60 <= f.at <= fault.at)
        rest = 40.0 if fault.kind in RESTS_LONG else 1.5 * late + 2
        if fault.at < until and fault.at + fault.seconds + rest > since:
            return False
    return True
