"""One target under atheris: ``python -m tests.fuzz.guided lists`` and arguments of libFuzzer."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["kptv"]):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]].probe)
    atheris.Fuzz()
