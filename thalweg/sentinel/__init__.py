"""Where a Sentinel says that the master is."""
