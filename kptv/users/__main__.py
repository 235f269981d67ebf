"""`python -m kptv.users add`, `list`, `disable` and so on."""

from __future__ import annotations

import sys

from kptv.users.commands import main

if __name__ == "__main__":
    sys.exit(main())
