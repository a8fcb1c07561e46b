"""Measurements of a stream's media: packets, pictures and sound."""
