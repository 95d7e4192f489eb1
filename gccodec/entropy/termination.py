"""The end of a range-coded stream, cut to the fewest bytes that still identify it."""

from __future__ import annotations

import math

WORD_BYTES = 4
STATE_BITS = 64


def bits_so_far(words_before_state: int, width: int) -> float:
    """The bits that a stream takes so far whose coder is in the state of `trimmed`; less than a
    byte is added by its end."""
    return 8 * WORD_BYTES * words_before_state + STATE_BITS - math.log2(width)


def trimmed(words_before_state: bytes, lower: int, width: int) -> bytes:
    """Bytes of the number in [lower, lower + width) that ends in the most zero bytes, without
    those.

    `words_before_state` are the finished big-endian words, `lower` (64 bits, may carry) and `width`
    the coder's state. A decoder pads with zero bytes.
    """
    low = (int.from_bytes(words_before_state, "big") << STATE_BITS) + lower
    length = len(words_before_state) + STATE_BITS // 8
    best, best_zero_bytes = low, 0
    for zero_bytes in range(1, length + 1):
        unit = 1 << (8 * zero_bytes)
        candidate = -(-low // unit) * unit
        if candidate >= low + width:
            break  # nor does any multiple of a larger unit fit, being one of this unit too
        best, best_zero_bytes = candidate, zero_bytes
    # a carry out of the first byte is impossible: the whole stream codes a number below one
    return best.to_bytes(length, "big")[: length - best_zero_bytes].rstrip(b"\0")


def padded_words(payload: bytes) -> bytes:
    """The payload with zeros behind it: whole words, and two more for a decoder to start from."""
    return payload + b"\0" * (-len(payload) % WORD_BYTES + 2 * WORD_BYTES)
