"""The benchmarks, each a module that prints one JSON object a line."""
