"""The live events of the UDI and the limiter."""
