"""Change streams: a process of its own that tells OFREP's clients when to ask again (ADR 18)."""
