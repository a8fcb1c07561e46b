"""The limiter's HTTP routes."""
