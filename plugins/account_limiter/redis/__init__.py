"""The limiter's state in Redis and its transitions."""
