"""Socket in, stream out: a venue's public WebSocket becomes exact events on Redis streams."""
