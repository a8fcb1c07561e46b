"""Dispatcharr's webhooks: their messages, and the runs that they start."""
