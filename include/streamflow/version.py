"""The version of StreamFlow."""

from typing import Final

VERSION: Final = "0.1.0"
