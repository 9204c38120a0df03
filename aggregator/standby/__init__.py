"""What the next in line for a shard does: keep its books near the owner's, and write nothing."""
