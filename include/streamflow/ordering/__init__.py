"""The order of a channel's streams."""
