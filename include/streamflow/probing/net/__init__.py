"""The network side of a probe: HTTP requests to permitted addresses, and the bytes that arrive.

Knows nothing of media. ``http_client`` is the entry; the other modules are its parts.
"""
