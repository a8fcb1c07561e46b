"""Isolation: a probe's work in processes of its own, which hold nothing but what they need.

``client`` is the side of the caller, ``fork_server`` the process that makes the others, ``sandbox`` what they enter.
"""

from streamflow.probing.isolation.client import Crashed, Crowded, Hung, Stopped, isolated, prepare

__all__ = ["Crashed", "Crowded", "Hung", "Stopped", "isolated", "prepare"]
