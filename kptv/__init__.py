"""KPTV Proxy. ARCHITECTURE.md says how it is built."""

__version__ = "0.1.0.dev0"  # of the release that comes next, before it is one; docs/development.md
