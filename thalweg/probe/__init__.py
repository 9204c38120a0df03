"""What a service shows of itself to those who watch over it: metrics, and whether it gets on."""
