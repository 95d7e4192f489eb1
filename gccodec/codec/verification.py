"""Whether a file's symbols are what they were when it was written."""

from __future__ import annotations

from gccodec.codec.latent import decode_latent
from gccodec.codec.lossless import decode_lossless
from gccodec.container.file import GczFile
from gccodec.entropy.latent import LatentCodec
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection
from gccodec.weights.bitstream import Bitstream


def verify_symbols(file: GczFile, latents: LatentCodec, bitstream: Bitstream) -> None:
    """Decode label map and latents and compare the digest, or decode an exact picture.

    CorruptError where damaged. An exact picture needs neither `latents` nor `bitstream`.
    """
    if file.coding == "lossless":
        verify_lossless(file)
        return
    for _ in decode_latent(latents, file, Selection.of(file, bitstream)):
        pass


def verify_lossless(file: GczFile) -> None:
    """Decode an exact picture; CorruptError where damaged."""
    decode_lossless(file, Region(0, 0, file.width, file.height))
