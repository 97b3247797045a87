"""The demo: the whole story in a minute, through real processes and the public HTTP API."""
