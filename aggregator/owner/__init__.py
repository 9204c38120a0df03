"""One life of a shard in its owner's hands: from the lease to the last checkpoint."""
