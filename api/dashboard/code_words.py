"""Commands and keys in the sentences of services, which are in backticks there, as pages have them."""

from __future__ import annotations

import re

from markupsafe import Markup, escape


def with_code(text: str) -> Markup:
    """Everything escaped, and what is in backticks as code."""
    # What is put in has no markup of its own: it is escaped before.
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
