"""The sandbox of a probe's process: what a decoder that was taken over could still do, and it is little.

The process reads no file but the libraries, certificates and name service files that a probe needs, writes none,
starts no program and no process, and reads no other process' memory. It keeps its connections: the probe fetches and
decodes in one process. Landlock (``Documentation/userspace-api/landlock.rst`` of Linux) guards the files, a seccomp
filter (``seccomp(2)``) the system calls. A kernel without one of them leaves that guard out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import ssl
import struct
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# Variables without secrets that the probe's libraries read.
KEPT_VARIABLES = frozenset({"LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"})
# The memory that the process may take beyond its parent's; a decoder of the largest permitted pictures needs a third.
MEMORY_BYTES = 3_000_000_000
MAX_FILES = 128
_LIMITS = (
    # A dump of the memory would hold the URL.
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NOFILE, MAX_FILES),
)
_NAME_SERVICE = ("resolv.conf", "hosts", "nsswitch.conf", "host.conf", "gai.conf", "services", "protocols", "localtime")
_CERTIFICATES = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/lib/ssl")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 38, 22
_SECCOMP_MODE_FILTER = 2
# The same on every architecture.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# All rights of version 1; later versions add moving between folders, truncating and device control.
_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}

# System calls by architecture (AUDIT_ARCH_*): those that are refused, those that start threads, and clone3.
_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_REFUSED_CALLS = {
    # execve, execveat, fork, vfork, ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, keyctl, bpf, io_uring
    _X86_64: (59, 322, 57, 58, 101, 310, 311, 438, 250, 321, 425),
    _AARCH64: (221, 281, 117, 270, 271, 438, 219, 280, 425),
}
_CLONE_CALLS = {_X86_64: 56, _AARCH64: 220}
_CLONE3_CALL = 435
_CLONE_THREAD = 0x0001_0000
_ENOSYS, _EPERM = 38, 1
# Berkeley packet filter: load a word, jump if equal, jump if any bit is set, return.
_LOAD, _IF_EQUAL, _IF_ANY, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF_0000, 0x0005_0000
# Offsets in ``struct seccomp_data``.
_CALL_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Take every right away from this process that a probe does not need; call it before the first thread starts."""
    _detach_standard_streams()
    _clear_environment()
    # A bound below the memory that was inherited would let the start of a thread hang.
    for limit, most in (*_LIMITS, (resource.RLIMIT_DATA, _data_bytes() + MEMORY_BYTES)):
        _, hard = resource.getrlimit(limit)
        within = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (within, within))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _restrict_files()
    _filter_calls()


def _data_bytes() -> int:
    """Return the size of this process' data and stacks (``proc_pid_statm(5)``), which RLIMIT_DATA bounds."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def landlock_version() -> int:
    """Return the version of Landlock that the kernel offers; 0 for none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION_FLAG)))


def _detach_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    os.close(null)


def _clear_environment() -> None:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    # The values stay in memory, and in /proc/self/environ, when only their names are removed.
    strings = ctypes.POINTER(ctypes.c_void_p).in_dll(_libc, "environ")
    index = 0
    while strings and (string := strings[index]):
        name, _, value = ctypes.string_at(string).partition(b"=")
        ctypes.memset(string + len(name) + 1, 0, len(value))
        index += 1
    os.environ.clear()
    os.environ.update(kept)


def _readable_paths() -> Iterator[str]:
    yield from _LIBRARIES
    yield from _CERTIFICATES
    yield from _DEVICES
    yield from (f"/etc/{name}" for name in _NAME_SERVICE)
    yield from (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield str(Path(__file__).parents[1])
    trusted = ssl.get_default_verify_paths()
    yield from (path for path in (trusted.cafile, trusted.capath) if path)


def _restrict_files() -> None:
    version = landlock_version()
    if not version:
        return
    rights = _RIGHTS_BY_VERSION[min(version, max(_RIGHTS_BY_VERSION))]
    ruleset = _libc.syscall(_LANDLOCK_CREATE, struct.pack("=Q", rights), 8, 0)
    if ruleset < 0:
        return
    for path in dict.fromkeys(map(os.path.realpath, _readable_paths())):
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        allowed = _READ_FILE | (_READ_DIR if Path(path).is_dir() else 0)
        _libc.syscall(_LANDLOCK_ADD, ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", allowed, opened), 0)
        os.close(opened)
    _libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _filter_calls() -> None:
    architecture = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine())
    if architecture is None:
        return
    program = b"".join(_program(architecture))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)


def _program(architecture: int) -> Iterator[bytes]:
    """Yield the instructions of the filter: code, jumps if true and if false, operand."""
    refused = _REFUSED_CALLS[architecture]

    def instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, operand)

    yield instruction(_LOAD, _ARCHITECTURE)
    # System calls of another architecture (32 bits) are refused as a whole.
    yield instruction(_IF_EQUAL, architecture, 1, 0)
    yield instruction(_RETURN, _ERROR | _EPERM)
    yield instruction(_LOAD, _CALL_NUMBER)
    for call in refused:
        yield instruction(_IF_EQUAL, call, 0, 1)
        yield instruction(_RETURN, _ERROR | _EPERM)
    # The C library falls back to clone, whose flags a filter can read.
    yield instruction(_IF_EQUAL, _CLONE3_CALL, 0, 1)
    yield instruction(_RETURN, _ERROR | _ENOSYS)
    yield instruction(_IF_EQUAL, _CLONE_CALLS[architecture], 0, 3)
    yield instruction(_LOAD, _FIRST_ARGUMENT)
    yield instruction(_IF_ANY, _CLONE_THREAD, 1, 0)
    yield instruction(_RETURN, _ERROR | _EPERM)
    yield instruction(_RETURN, _ALLOW)
