"""What a process remembers of units: assignment and recording ask for it with every request."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.services.consent.cache import ConsentCache
from experiments.services.identity.cache import IdentityCache
from experiments.services.profiles.cache import ProfileCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """Whether they consent, who they are, and what is known of them: asked in this order."""

    consents: ConsentCache
    identities: IdentityCache
    profiles: ProfileCache

    @property
    def every(self) -> tuple[ConsentCache, IdentityCache, ProfileCache]:
        """Who refuses is heard first."""
        return self.consents, self.identities, self.profiles
