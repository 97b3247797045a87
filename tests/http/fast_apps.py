"""What every app of a process makes anew and comes to the same: templates as code, and how addresses are built.

A test has an app of its own, and half of its time went there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


class Compiled(BytecodeCache):
    """Templates as they were compiled for the first app. Jinja asks for them by name and source."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket where somebody has compiled that before."""
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        self._code[bucket.key] = bucket.bytecode_to_string()


def share_what_apps_make(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone. A builder gets its rule when it is called, and rests on nothing but this key."""
    compiled, builders = Compiled(), dict[Any, Builder]()
    patch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": compiled})
    compile_builder = Rule._compile_builder

    def remembered(rule: Rule, append_unknown: bool = True) -> Builder:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = rule.rule, tuple(rule._trace), append_unknown
        if key not in builders:
            builders[key] = compile_builder(rule, append_unknown)
        return builders[key]

    patch.setattr(Rule, "_compile_builder", remembered)
