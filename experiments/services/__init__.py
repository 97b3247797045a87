"""Use cases, one verb a module. They know ports and the domain; no web, no SQL."""
