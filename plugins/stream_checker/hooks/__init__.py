"""Runs that webhooks start."""
