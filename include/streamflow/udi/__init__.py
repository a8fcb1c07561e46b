"""The Universal Data Index: accounts, streams, channels and results, looked up by index."""
