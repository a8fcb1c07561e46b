"""The order of a channel's streams: what it should be, why, and how it is written back."""
