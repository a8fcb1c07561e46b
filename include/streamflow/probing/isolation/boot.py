"""The start of a fork server: a script, so that it runs without any folder of the user on the search path.

Arguments: the module whose ``main`` serves, the descriptor that orders come from, and the search path.
"""

import select
import sys
from importlib import import_module

_, entry, orders, *sys.path = sys.argv
# Nothing is loaded before the first order: most processes that could order never do.
select.select([int(orders)], [], [])
import_module(entry).main(int(orders))
