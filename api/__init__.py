"""HTTP: thin. Each view declares what it takes and gives, and calls one service."""
