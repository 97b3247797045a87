"""The fast lane: requests that frontends make by the million, answered in front of Flask's dispatch (ADR 20)."""
