"""What `thalweg top` knows and how it looks; both without I/O."""
