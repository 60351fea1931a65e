"""The house on Amazon ECS: for each version a cluster with one service, whose tasks are workers. boto3 comes in when it is used."""
