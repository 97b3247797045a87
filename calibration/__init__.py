"""Error rates of the engine, measured: every pitfall with the safeguard on, and with it off."""
