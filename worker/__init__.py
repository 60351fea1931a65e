"""Collects compiled entities and runs them: a watcher that does no work, and slots that serve themselves."""
