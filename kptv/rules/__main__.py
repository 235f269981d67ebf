"""`python -m kptv.rules check`, `preview`, `explain NAME`."""

from __future__ import annotations

import gc
import sys

from kptv.rules.commands import main

if __name__ == "__main__":
    gc.disable()  # a command is over soon; to look through 200,000 entries would take a third more
    sys.exit(main())
