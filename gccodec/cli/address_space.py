"""Limits on the address space (ulimit -v), under which torch may abort the program instead of
raising an error."""

from __future__ import annotations

from gccodec.errors import LimitError

PROGRAM_BYTES = 900 << 20
"""Interpreter, torch, weights and the smallest strips: where a small picture was coded and decoded,
measured."""
BYTES_A_THREAD = 80 << 20
"""A stack, and an arena of malloc."""
SIGNS = (
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to map segment",
    "std::bad_alloc",
)
"""Of messages about memory: the kernel's, torch's, the dynamic linker's, C++'s."""


def _limit_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit


def check_address_space() -> None:
    """LimitError where torch could not even be loaded."""
    limit = _limit_bytes()
    if limit is not None and limit < PROGRAM_BYTES:
        raise LimitError(
            f"address space: limited to {limit >> 10} KB (ulimit -v), at least "
            f"{PROGRAM_BYTES >> 10} KB are needed"
        )


def threads_within(asked: int | None, usual: int) -> int | None:
    """The number of threads to set: what was asked for, or fewer where the address space has no
    room for so many."""
    limit = _limit_bytes()
    if limit is None:
        return asked
    return max(1, min(asked or usual, (limit - PROGRAM_BYTES) // BYTES_A_THREAD))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it, or what it came from, says that memory ran out: also while a library was being
    loaded."""
    at: BaseException | None = error
    while at is not None:
        text = str(at).lower()
        if isinstance(at, MemoryError) or any(sign in text for sign in SIGNS):
            return True
        at = at.__cause__ or at.__context__
    return False
