"""Seccomp: the system calls that a process may still make (``seccomp(2)``)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
# Berkeley packet filter: load a word, jump always, if equal, if any bit is set, return.
_LOAD, _JUMP, _IF_EQUAL, _IF_ANY, _RETURN = 0x20, 0x05, 0x15, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF_0000, 0x0005_0000
# Offsets in ``struct seccomp_data``; of an argument, the lower half.
_CALL_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_CLONE_THREAD = 0x0001_0000
_PROT_EXEC = 4
_AF_INET, _AF_INET6, _AF_NETLINK = 2, 10, 16

# Numbers of system calls on x86-64 and on aarch64 (AUDIT_ARCH_*); None where there is no such call.
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_Number = tuple[int | None, int | None]
_CLONE: _Number = (56, 220)
_CLONE3: _Number = (435, 435)
_SOCKET: _Number = (41, 198)
_KILL: _Number = (62, 129)
_TGKILL: _Number = (234, 131)
_MMAP: _Number = (9, 222)
_MPROTECT: _Number = (10, 226)

# Reading, writing and closing what is open, memory, time, waiting, signals of its own and the end.
_COMPUTING: dict[str, _Number] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72), "lseek": (8, 62), "readv": (19, 65), "writev": (20, 66),
    "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216), "madvise": (28, 233), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "restart_syscall": (219, 128),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "getcpu": (309, 168), "futex": (202, 98),
    "set_robust_list": (273, 99), "rseq": (334, 293), "membarrier": (324, 283), "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115), "clock_gettime": (228, 113), "clock_getres": (229, 114), "getpid": (39, 172),
    "gettid": (186, 178), "getrusage": (98, 165), "times": (100, 153), "sysinfo": (99, 179), "uname": (63, 160),
    "getrandom": (318, 278), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
# Programs, processes and their memory, namespaces and mounts, the kernel's own machinery, servers, and every change
# of the file system that Landlock would refuse, for kernels without it.
_HARMFUL: dict[str, _Number] = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272),
    "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "open_by_handle_at": (304, 265), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "bpf": (321, 280), "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "perf_event_open": (298, 241),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "truncate": (76, 45), "ftruncate": (77, 46), "unlink": (87, None), "unlinkat": (263, 35),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "mkdir": (83, None), "mkdirat": (258, 34),
    "rmdir": (84, None), "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36),
    "mknod": (133, None), "mknodat": (259, 33), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
}  # fmt: skip

# decoder: what computing needs, and nothing else. network: everything but what is harmful, and internet sockets alone.
Filter = Literal["decoder", "network"]

_libc = ctypes.CDLL(None, use_errno=True)


def is_available() -> bool:
    """Return whether the kernel has filters, and this module the numbers of the machine's system calls."""
    # A kernel with filters complains about the address, one without, or an emulator, about the mode.
    _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, None, 0, 0)
    return platform.machine() in _ARCHITECTURES and ctypes.get_errno() == errno.EFAULT


def restrict(name: Filter) -> None:
    """Refuse all system calls of this process that the filter does not allow; they fail with EPERM.

    ``PR_SET_NO_NEW_PRIVS`` must be set.

    :raises OSError: when the kernel has filters and refuses this one.
    """
    if not is_available():
        return
    column, architecture = _ARCHITECTURES[platform.machine()]
    program = b"".join(_assembled([*_begin(architecture), *_rules(name, column)]))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses the filter of system calls")


@dataclass(frozen=True)
class _Instruction:
    code: int
    operand: int
    if_true: int = 0
    if_false: int = 0


def _assembled(instructions: list[_Instruction]) -> Iterator[bytes]:
    for one in instructions:
        yield struct.pack("=HBBI", one.code, one.if_true, one.if_false, one.operand)


def _begin(architecture: int) -> Iterator[_Instruction]:
    yield _Instruction(_LOAD, _ARCHITECTURE)
    # System calls of another architecture (32 bits) are refused as a whole.
    yield _Instruction(_IF_EQUAL, architecture, 1, 0)
    yield _Instruction(_RETURN, _ERROR | errno.EPERM)
    yield _Instruction(_LOAD, _CALL_NUMBER)


def _rules(name: Filter, column: int) -> Iterator[_Instruction]:
    yield from _only_own(_KILL[column], os.getpid())
    yield from _only_own(_TGKILL[column], os.getpid())
    if name == "decoder":
        for call in (_MMAP, _MPROTECT):
            # No memory becomes a program.
            yield from _checked(call[column], 2, _Instruction(_IF_ANY, _PROT_EXEC, 0, 1), _ERROR | errno.EPERM, _ALLOW)
        for numbers in _COMPUTING.values():
            yield from _answered(numbers[column], _ALLOW)
        yield _Instruction(_RETURN, _ERROR | errno.EPERM)
        return
    for numbers in _HARMFUL.values():
        yield from _answered(numbers[column], _ERROR | errno.EPERM)
    # The C library falls back to clone, whose flags a filter can read.
    yield from _answered(_CLONE3[column], _ERROR | errno.ENOSYS)
    yield from _checked(_CLONE[column], 0, _Instruction(_IF_ANY, _CLONE_THREAD, 0, 1), _ALLOW, _ERROR | errno.EPERM)
    for family in (_AF_INET, _AF_INET6, _AF_NETLINK):
        yield from _checked(_SOCKET[column], 0, _Instruction(_IF_EQUAL, family, 0, 1), _ALLOW, None)
    yield from _answered(_SOCKET[column], _ERROR | errno.EPERM)
    yield _Instruction(_RETURN, _ALLOW)


def _answered(number: int | None, answer: int) -> Iterator[_Instruction]:
    if number is not None:
        yield _Instruction(_IF_EQUAL, number, 0, 1)
        yield _Instruction(_RETURN, answer)


def _only_own(number: int | None, pid: int) -> Iterator[_Instruction]:
    """Allow a signal to this process alone."""
    yield from _checked(number, 0, _Instruction(_IF_EQUAL, pid, 0, 1), _ALLOW, _ERROR | errno.EPERM)


def _checked(
    number: int | None, argument: int, condition: _Instruction, answer: int, otherwise: int | None
) -> Iterator[_Instruction]:
    """Answer a call by one of its arguments.

    :param condition: jumps over one instruction when it is false.
    :param otherwise: the answer when the condition is false; None to go on to the next rule.
    """
    last = [_Instruction(_LOAD, _CALL_NUMBER)] if otherwise is None else [_Instruction(_RETURN, otherwise)]
    rule = [_Instruction(_LOAD, _ARGUMENTS + 8 * argument), condition, _Instruction(_RETURN, answer), *last]
    if number is not None:
        yield _Instruction(_IF_EQUAL, number, 0, len(rule))
        yield from rule
