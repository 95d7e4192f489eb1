"""Metadata as sections of a file."""

import zlib

import pytest

from gccodec.codec.metadata import metadata_of, metadata_sections
from gccodec.container.file import NO_MODEL, GczFile
from gccodec.container.section import MAX_SECTION_BYTES, Section, SectionId
from gccodec.errors import SectionError
from gccodec.image.metadata import Metadata


def file_of(*sections):
    return GczFile(1, 1, False, NO_MODEL, 0, 0, b"", sections)


def test_sections_give_back_every_byte():
    metadata = Metadata(b"II*\0 exif", bytes(range(256)) * 9, "grüße".encode())
    sections = metadata_sections(metadata)
    assert [section.id for section in sections] == [128, 129, 130]
    assert metadata_of(file_of(*sections)) == metadata
    assert sum(len(s.body) for s in sections) < 400
    assert metadata_sections(Metadata()) == ()
    icc_alone = metadata_sections(metadata.only(frozenset({"icc"})))
    assert metadata_of(file_of(*icc_alone)) == Metadata(icc=metadata.icc)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"junk",
        zlib.compress(b"x" * 50)[:-3],
        zlib.compress(b"x") + b"y",
        zlib.compress(bytes(MAX_SECTION_BYTES + 1)),
    ],
    ids=["empty", "junk", "truncated", "trailing", "bomb"],
)
def test_a_broken_body_is_a_section_error(body):
    with pytest.raises(SectionError, match="section xmp"):
        metadata_of(file_of(Section(int(SectionId.XMP), body)))
