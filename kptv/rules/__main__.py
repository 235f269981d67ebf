"""`python -m kptv.rules check`, `preview`, `explain NAME`."""

from __future__ import annotations

import sys

from kptv.rules.commands import main

if __name__ == "__main__":
    sys.exit(main())
