"""All of Redis, and nothing but Redis: connections, pipes, states, the catalog of versions and flows, waves, claims, workers."""
