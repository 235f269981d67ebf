"""What pyxtream makes of a server, as JSON; run by the Python that has it, see `xtream.py`.

usage: with_pyxtream.py ADDRESS USER PASSWORD
"""

from __future__ import annotations

import json
import os
import sys
import tempfile

from pyxtream import XTream  # type: ignore[import-not-found]


def main(address: str, user: str, password: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as cache:  # else it reads what it got the last time
        account = XTream("kptv", user, password, address, cache_path=cache, validate_json=True)
        told: dict[str, object] = {"authenticated": account.state["authenticated"]}
        if account.state["authenticated"]:
            told["loaded"] = account.load_iptv()
            told["groups"] = [group.name for group in account.groups if group.channels]
            told["channels"] = {each.name: each.url for each in account.channels}
            told["films"] = len(account.movies) + len(account.series)
        return told


if __name__ == "__main__":
    ours = os.dup(1)  # it prints a great deal itself
    os.dup2(2, 1)
    with os.fdopen(ours, "w") as out:
        json.dump(main(*sys.argv[1:]), out)
