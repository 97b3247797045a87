"""Collected only where the peers are: `make test-peers`. Elsewhere there is nothing here, not even a skip."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("gbstats") and find_spec("tea_tasting") else ["test_*.py"]
