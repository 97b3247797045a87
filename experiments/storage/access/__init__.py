"""Who may, who does, who did: API keys, leases, the audit log."""
