"""Links to a Redis Cluster: which node has a command's slot, and the connections to those that are needed."""
