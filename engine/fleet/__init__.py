"""Where workers run, and the Redis they share when there is no other: local processes here, Amazon ECS beside them."""
