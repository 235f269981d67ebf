"""When a player shows its first picture, and when its sound begins: its log tells."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOOK = 0.01  # seconds between two looks at a log
_SETTLED = 1.0  # seconds for the sound, once the picture is there


@dataclass(frozen=True, slots=True)
class Player:
    """A player without a screen, and the lines of its log that tell."""

    name: str
    command: str  # a URL follows
    picture: str  # a regular expression; empty: each picture is a file in its directory
    sound: str

    @property
    def is_installed(self) -> bool:
        return shutil.which(self.command.split()[0]) is not None


@dataclass(frozen=True, slots=True)
class Start:
    """When the first picture was seen and the first sound heard; monotonic, infinite: not at all.

    What both are is up to the player: VLC shows a picture at once, and lets it move with the sound.
    """

    picture: float = math.inf
    sound: float = math.inf


PLAYERS = (
    Player(
        "mpv",
        "mpv --no-config --vo=null --ao=null --msg-level=all=v",
        "first video frame after restart shown",
        "starting audio playback",
    ),
    Player(
        "VLC",
        "vlc -vvv -I dummy --no-spu --vout=vdummy --aout=adummy --video-filter=scene"
        " --scene-ratio=1 --scene-width=160 --scene-path=.",
        "",
        "Stream buffering done",
    ),
    Player(
        "ffmpeg",
        "ffmpeg -nostdin -vf showinfo -af ashowinfo -f null - -i",
        "Parsed_showinfo.* n: *0 ",
        "ashowinfo.* n:0 ",
    ),
)


def start_of(player: Player, url: str, limit: float) -> Start:
    """Play ``url`` until both are there, for ``limit`` seconds at most."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)  # for nobody
        with (folder / "log").open("wb") as log:
            options: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": name}
            options["env"] = {"PATH": os.environ["PATH"], "HOME": name, "LANG": "C.UTF-8"}
            with subprocess.Popen(
                [*player.command.split(), url], **options, **_as_nobody()
            ) as process:
                try:
                    return _watch(player, folder, time.monotonic() + limit)
                finally:
                    process.kill()


def _as_nobody() -> dict[str, Any]:
    """Not as root: VLC refuses to be that."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if not os.geteuid() else {}


def _watch(player: Player, folder: Path, deadline: float) -> Start:
    picture = sound = math.inf
    while (now := time.monotonic()) < min(deadline, picture + _SETTLED):
        log = (folder / "log").read_text(errors="replace")
        seen = re.search(player.picture, log) if player.picture else any(folder.glob("*.png"))
        picture = min(picture, now) if seen else picture
        sound = min(sound, now) if re.search(player.sound, log) else sound
        if max(picture, sound) < math.inf:
            break
        time.sleep(_LOOK)
    return Start(picture, sound)
