"""``python -m streamflow_stack.cli``: what the launcher hands over to."""

from streamflow_stack.cli import main

main()
