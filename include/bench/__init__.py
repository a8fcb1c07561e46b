"""The benchmarks, one module each. A benchmark prints one JSON object a line."""
