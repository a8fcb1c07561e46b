"""The lab: a simulated provider and a simulated Dispatcharr for the demo and the tests."""

from lab.corpus import corpus
from lab.demo import demo
from lab.library import Account, Behaviour, Channel, Group, Hls, Library, Stream
from lab.media import Clip, Media, Truth
from lab.recipes import CATALOGUE, Recipe
from lab.servers import Lab, running, serve

__all__ = [
    "CATALOGUE",
    "Account",
    "Behaviour",
    "Channel",
    "Clip",
    "Group",
    "Hls",
    "Lab",
    "Library",
    "Media",
    "Recipe",
    "Stream",
    "Truth",
    "corpus",
    "demo",
    "running",
    "serve",
]
