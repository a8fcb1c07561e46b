"""The sandbox of a probe's processes: what one that was taken over could still do, and it is little.

A ``decoder`` computes: it opens no file, no socket and no further process. The ``network`` profile is for processes
that fetch: they read the libraries, certificates and name service files that this needs, and open connections.
"""

from __future__ import annotations

import ctypes
import os
import resource
import ssl
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamflow.probing.isolation import landlock, memory, seccomp

# The memory that a process may take beyond what it has at its start; a decoder of the largest permitted pictures
# needs nearly as much.
MEMORY_BYTES = 1_500_000_000
LEAST_MEMORY_BYTES = 200_000_000
# The share of the container's memory that one process may take.
MEMORY_SHARE = 0.5
# Address space is reserved for more than is used: heaps of threads, and libraries.
RESERVED_BYTES = 500_000_000
MAX_FILES = 64
# The last process that the kernel keeps when memory is short (``proc_pid_oom_score_adj(5)``).
_FIRST_TO_END = "1000"

_NAME_SERVICE = ("resolv.conf", "hosts", "nsswitch.conf", "host.conf", "gai.conf", "services", "protocols", "localtime")
_CERTIFICATES = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/lib/ssl")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_PACKAGES = ("site-packages", "dist-packages")
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Bounds:
    """The bounds of a process.

    :param memory_bytes: what it may take beyond what it has at its start.
    :param cpu_s: seconds of CPU time after which the kernel ends it.
    """

    memory_bytes: int
    cpu_s: int


def memory_bytes() -> int:
    """Return the memory that one process may take, by the size of the container."""
    share = int(memory.limit_bytes() * MEMORY_SHARE)
    return min(MEMORY_BYTES, max(LEAST_MEMORY_BYTES, share))


def enter(profile: seccomp.Filter, bounds: Bounds) -> None:
    """Take every right away from this process that its profile does not need.

    Call it before the first thread starts.

    :raises OSError: when the kernel has a guard and refuses it.
    """
    _be_ended_first()
    _bound(profile, bounds)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # Other processes of the same user cannot read its memory, and a crash writes none.
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    is_network = profile == "network"
    landlock.restrict(_readable_paths() if is_network else (), connects=is_network)
    seccomp.restrict(profile)


def _be_ended_first() -> None:
    """Make this the process that the kernel ends when memory is short, rather than one that serves people."""
    # The file of an undumpable process belongs to root; so is a process whose parent is a task of Airflow.
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    # Some containers mount /proc without the right to write.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_END, encoding="ascii")


def _bound(profile: seccomp.Filter, bounds: Bounds) -> None:
    address_space, data = _own_bytes()
    limits = [
        # A dump of the memory would hold the URL.
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MAX_FILES),
        (resource.RLIMIT_CPU, bounds.cpu_s),
        # A bound below the memory that was inherited would let the start of a thread hang.
        (resource.RLIMIT_DATA, data + bounds.memory_bytes),
        (resource.RLIMIT_AS, address_space + bounds.memory_bytes + RESERVED_BYTES),
    ]
    if profile == "decoder":
        # It counts all processes and threads of the user: no bound above zero would be one for this process.
        limits.append((resource.RLIMIT_NPROC, 0))
    for limit, most in limits:
        _, hard = resource.getrlimit(limit)
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (within, within))


def _own_bytes() -> tuple[int, int]:
    """Return the size of this process' address space, and of its data and stacks (``proc_pid_statm(5)``)."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(pages[0]) * resource.getpagesize(), int(pages[5]) * resource.getpagesize()


def end_with_parent(signal: int) -> None:
    """Have the kernel send ``signal`` to this process when its parent ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0)


def _readable_paths() -> Iterator[str]:
    yield from _LIBRARIES
    yield from _CERTIFICATES
    yield from _DEVICES
    yield from (f"/etc/{name}" for name in _NAME_SERVICE)
    yield from (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
    # Of the folders that modules come from, those that hold nothing of the user.
    yield from (path for path in sys.path if Path(path).name in _PACKAGES)
    yield str(Path(__file__).parents[2])
    trusted = ssl.get_default_verify_paths()
    yield from (path for path in (trusted.cafile, trusted.capath) if path)
    yield from (os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ)
