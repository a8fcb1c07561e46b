"""``python -m streamflow.cli``: what the launcher hands over to."""

from streamflow.cli import main

main()
