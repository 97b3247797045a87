"""Tables to be downloaded from the pages: people open them in a spreadsheet."""

from __future__ import annotations

from flask import Response

_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""Without it, Excel on Windows takes UTF-8 for something else, and garbles all but plain letters."""


def csv_download(text: str, filename: str) -> Response:
    """Return the table as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(_BYTE_ORDER_MARK + text, mimetype="text/csv", headers=headers)
