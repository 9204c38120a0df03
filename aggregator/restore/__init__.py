"""Books brought to where a checkpoint says they stood, from their streams."""
