"""The version of the engine: part of every report, changed whenever a number could come out differently."""

from __future__ import annotations

ENGINE_VERSION = "2.5.0"
