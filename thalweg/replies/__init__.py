"""What comes in on one connection to Redis."""
