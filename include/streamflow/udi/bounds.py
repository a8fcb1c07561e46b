"""The bounds of what a store keeps."""

# Past results of a stream, and past changes of a channel.
HISTORY = 50
CHANGES = 50
# Past playbacks of a stream, and the days for which they are kept.
PLAYBACKS = 20
PLAYBACK_DAYS = 30
# The newest runs, for at most this number of days.
RUNS = 200
RUN_DAYS = 30
# An account that is switched off for some weeks takes its streams out of the library. Their results are kept meanwhile.
GONE_DAYS = 30
# A probe that stops publishing its progress is forgotten after this time.
PROGRESS_SECONDS = 30.0
