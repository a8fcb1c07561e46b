"""The protocols that a probe speaks, one module each."""
