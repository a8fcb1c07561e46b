"""The UDI in Redis."""
