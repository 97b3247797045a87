"""Where accepted rows wait for the database: a journal on the local disk, and what takes it into the database."""
