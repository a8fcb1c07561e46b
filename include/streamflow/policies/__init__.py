"""Policies: the owner's rules for channels. Pure functions over settings and records.

:mod:`policy` holds the rules as data, :mod:`patterns` matches names, :mod:`fitting` finds the policy of a channel, and
:mod:`ranking` turns a policy into the ranks by which a channel's streams are ordered.
"""
