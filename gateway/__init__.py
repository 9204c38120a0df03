"""Publications in, browsers out: replicas of the published books, encoded once per topic and tick."""
