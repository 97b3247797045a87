"""Results pages for content teams: rendered on the server, readable without JavaScript and without the internet."""

from api.dashboard.registration import register

__all__ = ["register"]
