"""The product: experiments, their domain, their use cases and their storage."""
