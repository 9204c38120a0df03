"""What every process does with its event loop: no pauses by the collector, lag measured, spinning where told to."""
