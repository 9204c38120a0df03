"""One shard of the aggregator over time: who is to feed it, and through which troubles."""
