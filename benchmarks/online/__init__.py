"""The online plane beside the bare server, the bare database and its peers: `make bench-online`."""
