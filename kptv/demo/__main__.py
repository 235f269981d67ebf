"""`python -m kptv.demo`: the two demo providers alone, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import asyncio

from kptv.command import take_no_arguments
from kptv.demo.providers import RULES, both_providers, until_told_to_stop


async def main() -> None:
    """Print what to set SOURCES to, then serve."""
    async with both_providers() as providers:
        print(f"SOURCES={','.join(provider.source for provider in providers)}")
        print(f"RULES={RULES}")
        for provider in providers:
            print(f"# break it: curl -X POST {provider.url}/break   (and /mend)")
        print(end="", flush=True)
        await until_told_to_stop()


if __name__ == "__main__":
    take_no_arguments("kptv.demo", "Run the two demo providers alone, until Ctrl-C.")
    asyncio.run(main())
