"""`python -m kptv.config`: whether the proxy could start with the settings of now."""

from __future__ import annotations

import sys

from kptv.command import take_no_arguments
from kptv.config import load_config
from kptv.errors import ConfigError


def main() -> int:
    """0 if it could; otherwise 1, and the reasons are on standard error."""
    take_no_arguments("kptv.config", "Say whether the settings in .env can be used.")
    try:
        config = load_config()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.writelines(f"{warning}\n" for warning in config.warnings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
