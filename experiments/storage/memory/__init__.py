"""The ports in memory, with real transactions: for tests, demonstrations and clients' own suites."""
