"""What goes out to a venue apart from its stream: leave to connect, and requests by REST, within its limits."""
