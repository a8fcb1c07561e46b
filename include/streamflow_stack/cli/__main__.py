"""``python -m streamflow_stack.cli``: the program that the launcher runs."""

from streamflow_stack.cli import main

main()
