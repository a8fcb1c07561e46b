"""The limiter's state and transitions in Redis."""
