"""The keys of the UDI in Redis.

All carry one hash tag, so that in a cluster they lie in one slot, and one script or transaction can use several.
"""

PREFIX = "{streamflow}:udi:"
# The stream of events. Each event has a ``type`` and a record in ``json``.
EVENTS = PREFIX + "events"
EVENTS_KEPT = 2000
# The ids of streams that left the library and have results, by their identities.
GONE = PREFIX + "gone"
# The version of the layout, stored when all data is there. A Redis of another layout is treated as empty, and filled
# from the file store.
LAYOUT = "2"
LAYOUT_NAME = "layout"
LAYOUT_KEY = PREFIX + LAYOUT_NAME
# An id for each time that an empty Redis was filled.
FILLING_NAME = "filling"
# Outside of the prefix, because filling begins with the deletion of all keys.
FILLING_LOCK = "{streamflow}:udi-filling"
