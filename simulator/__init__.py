"""Fake venues that speak the real protocols on loopback, with faults and an oracle of the true books."""
