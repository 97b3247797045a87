"""The log becomes results. Mostly heavy to import: no request computes any."""
