"""Where things rest: the ports of `experiments.services`, in SQL and in memory. SQLAlchemy lives only here."""
