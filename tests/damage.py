"""What mutation tests and the fuzzer share: small seed files, repaired checksums, and what must
hold."""

from __future__ import annotations

import zlib

import numpy as np

from gccodec.codec.alpha import decode_alpha, encode_alpha
from gccodec.codec.latent import decode_latent
from gccodec.codec.lossless import decode_lossless, lossless_file
from gccodec.codec.metadata import metadata_of, metadata_sections
from gccodec.container.file import GczFile, parse, serialize
from gccodec.container.reader import Reader
from gccodec.container.section import Section, SectionId
from gccodec.entropy.grid import grid_size
from gccodec.entropy.latent import fixed_point
from gccodec.entropy.side_information import NO_SIDE_INFORMATION
from gccodec.errors import CorruptError
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection
from tests.models import random_weights

BITSTREAM = random_weights(selective=True).bitstream
LATENTS = BITSTREAM.latent_codec()
QUALITY = 500
METADATA = Metadata(b"II*\0" + bytes(range(64)), bytes(range(128, 256)), b"<x:xmpmeta/>")


def seeds():
    """Small files of every kind of section, coded with a small model."""
    rng = np.random.default_rng(0)
    keep = rng.random((3, 3)) < 0.5
    labels = (rng.integers(0, 25, (3, 3)).repeat(2, 0).repeat(2, 1)[:6, :5]).astype(np.uint8)
    alpha = np.add.outer(np.arange(20), np.arange(33)).astype(np.uint8)
    return [
        _seed(rng, 1, 1),
        _seed(rng, 33, 20, sections=(Section(int(SectionId.ALPHA), encode_alpha(alpha)),)),
        _seed(rng, 40, 64, sections=metadata_sections(METADATA)),
        _seed(rng, 16, 16, sections=(Section(200, b"abc"),)),
        _seed(rng, 40, 48, Selection(keep, labels)),
        _seed(rng, 40, 48, Selection(keep, None, 100)),
        exact_seed(),
    ]


def exact_seed():
    """33x20 in three colours, with alpha and metadata."""
    stripes = np.array([[255, 255, 255], [200, 0, 0], [0, 0, 90]], np.uint8)[
        np.add.outer(np.arange(20), np.arange(33)) % 3
    ]
    alpha = np.tile(np.arange(33, dtype=np.uint8) // 8 * 60, (20, 1))
    return lossless_file(Picture.of(stripes, alpha, METADATA), 1000, False)


def _seed(rng, width, height, selection=None, sections=()):
    y = rng.laplace(size=(*grid_size(height, width), LATENTS.context.channels)).astype(np.float32)
    quality, side = QUALITY, NO_SIDE_INFORMATION
    if selection is not None:
        quality, side, sections = (
            selection.quality(QUALITY),
            selection.side,
            selection.sections(BITSTREAM),
        )
    payload, digest = LATENTS.encode([fixed_point(y)], quality, 0.0, side)
    return serialize(
        GczFile(width, height, False, BITSTREAM.id, QUALITY, digest, payload, sections)
    )


def with_checksum(data):
    """The file with the checksums that its header, sections and payload ask for, where it can be
    read that far."""
    reader, out, rows = Reader(data), bytearray(data), []
    try:
        reader.take(5, "magic, version, flags")
        reader.number("width"), reader.number("height")
        reader.take(4, "model id")
        reader.number("quality")
        reader.take(2, "digest")
        for _ in range(reader.take(1, "section count")[0]):
            reader.take(1, "section id")
            length = reader.number("length")
            rows.append((reader.offset, length))
            reader.take(4, "section checksum")
        end = reader.offset
        reader.take(4, "checksum")
        for at, length in rows:
            out[at : at + 4] = zlib.crc32(reader.take(length, "section")).to_bytes(4, "big")
    except CorruptError:
        return data
    checksum = zlib.crc32(data[reader.offset :], zlib.crc32(out[:end]))
    out[end : end + 4] = checksum.to_bytes(4, "big")
    return bytes(out)


def outcome(data):
    """Parse a small picture's file and decode all that needs no generator."""
    file = parse(data, max_pixels=1 << 14)
    metadata_of(file)
    if file.coding == "lossless":
        for _ in decode_lossless(file, Region(0, 0, file.width, file.height)).strips:
            pass
        return "decoded"
    selection = Selection.of(file, BITSTREAM)
    for section in file.sections:
        if section.id == SectionId.ALPHA:
            decode_alpha(section.body, file.height, file.width)
    if file.model_id == BITSTREAM.id:
        for _ in decode_latent(LATENTS, file, selection):
            pass
    return "decoded"
