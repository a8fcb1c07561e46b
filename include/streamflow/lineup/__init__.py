"""The lineup: which streams channels get, lose and hide behind, and the memory of what a person decided about it."""
