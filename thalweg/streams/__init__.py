"""The streams as a reader asks the server for them; `thalweg.read` makes books of it."""
