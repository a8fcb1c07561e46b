"""Planning of runs."""
