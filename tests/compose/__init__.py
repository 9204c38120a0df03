"""The containers as an operator has them: built, started, scaled, killed and removed on a real Docker engine."""
