"""Streams into channels by rule: which streams show the same channel, and the evidence for it in words.

Pure: names in, candidates and refusals out (:func:`streamflow.matching.matcher.match`). A wrong stream in a channel
does more harm than a missing one, so what the names leave open is refused, with the reason. The settings read
:mod:`streamflow.matching.rule` alone, which loads no vocabulary.
"""
