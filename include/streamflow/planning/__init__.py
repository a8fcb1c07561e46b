"""Planning: the streams and channels of a run, the order of the checks, and their mode."""
