"""Streams in, publications out: every venue's book in memory, the live ones merged, each change published."""
