"""HTTP routes of the limiter."""
