"""REST: single questions about what the gateway holds, by subject; `app.py` has the paths."""
