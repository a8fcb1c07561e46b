"""Dynamic Adaptive Streaming over HTTP (ISO/IEC 23009-1)."""
