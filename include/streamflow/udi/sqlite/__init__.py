"""The UDI in one SQLite file."""
