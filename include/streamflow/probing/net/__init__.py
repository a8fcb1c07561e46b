"""The network side of a probe: guarded connections and the bytes that arrive over them."""
