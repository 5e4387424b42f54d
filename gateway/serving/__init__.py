"""The processes that serve: their main process, its workers, and how hosts know each other."""
