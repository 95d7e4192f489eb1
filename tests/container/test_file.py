"""The container: exact bytes, every fault by name, nothing silently wrong."""

import dataclasses
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gccodec.container.file import GczFile, overhead_bytes, parse, serialize
from gccodec.container.section import Section, SectionId
from gccodec.errors import (
    ChecksumError,
    CorruptError,
    HeaderError,
    LimitError,
    NotGczError,
    SectionError,
    TruncatedError,
)

PLAIN = GczFile(768, 512, False, bytes.fromhex("0123abcd"), 240, 0xBEEF, b"latents")


LOSSLESS = GczFile(
    48, 32, False, bytes(4), 0, 0, b"", (Section(5, b"picture"), Section(129, b"profile"))
)


def with_checksum(header: bytes, rest: bytes = b"") -> bytes:
    return header + zlib.crc32(rest, zlib.crc32(header)).to_bytes(4, "big") + rest


def test_a_plain_file_has_exactly_these_bytes():
    assert (
        serialize(PLAIN).hex()
        == "e74743010080068004"
        + "0123abcd"
        + "f001"
        + "beef"
        + "00"
        + "0abeadc6"
        + b"latents".hex()
    )


def test_a_section_is_found_by_its_id():
    assert LOSSLESS.body(SectionId.LOSSLESS) == b"picture"
    assert LOSSLESS.body(SectionId.ICC) == b"profile"
    assert LOSSLESS.body(SectionId.ALPHA) is None


def test_a_file_with_an_exact_picture_has_exactly_these_bytes():
    data = serialize(dataclasses.replace(LOSSLESS, gray=True, sections=LOSSLESS.sections[:1]))
    row = "0507" + zlib.crc32(b"picture").to_bytes(4, "big").hex()
    header = bytes.fromhex("e7474301013020" + "00000000" + "00" + "0000" + "01" + row)
    assert data == header + zlib.crc32(header).to_bytes(4, "big") + b"picture"
    assert parse(serialize(LOSSLESS)) == LOSSLESS


@given(
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.booleans(),
    st.integers(0, 1000),
    st.integers(0, 65535),
    st.binary(max_size=60),
    st.dictionaries(st.integers(128, 255), st.binary(max_size=40), max_size=16),
)
def test_what_is_written_is_read_back(width, height, gray, quality, digest, payload, sections):
    rows = tuple(Section(i, sections[i]) for i in sorted(sections))
    file = GczFile(width, height, gray, b"\0\1\2\3", quality, digest, payload, rows)
    assert parse(serialize(file), max_pixels=1 << 32) == file


@pytest.mark.parametrize("size", [(1, 1), (768, 512), (16383, 16383), (65535, 4096)])
def test_framing_takes_at_most_24_bytes(size):
    assert overhead_bytes(dataclasses.replace(PLAIN, width=size[0], height=size[1])) <= 24


def test_every_truncation_is_refused():
    data = serialize(dataclasses.replace(PLAIN, sections=(Section(200, b"note"),)))
    for length in range(len(data)):
        with pytest.raises(CorruptError):
            parse(data[:length])


def test_every_flipped_bit_is_refused():
    data = serialize(dataclasses.replace(PLAIN, sections=(Section(200, b"note"),)))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptError):
            parse(bytes(damaged))


def test_a_gamecube_disc_image_is_named():
    with pytest.raises(NotGczError, match="GameCube"):
        parse(bytes.fromhex("01c00bb1") + bytes(100))


def test_other_files_are_named_by_their_first_bytes():
    with pytest.raises(NotGczError, match="89 50 4e"):
        parse(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("header", "error", "message"),
    [
        ("e7474302", HeaderError, "version: found 2"),
        ("e747430102", HeaderError, "reserved bits"),
        ("e7474301000001", HeaderError, "width: found 0"),
        ("e74743010001808004", HeaderError, "height: found 65536"),
        ("e7474301008000", HeaderError, "shortest form"),
        ("e747430100ffffffffff", HeaderError, "longer than 5 bytes"),
        ("e747430100010100000000e907", HeaderError, "quality: found 1001"),
        ("e747430100010100000000000000" + "11", SectionError, "section count: found 17"),
        ("e747430100010100000000000000" + "01" + "c881808020", SectionError, "allowed 67108864"),
        ("e747430100010100000000000000" + "02" + "c80000000000c800", SectionError, "ascend"),
        ("e747430100010100000000000000" + "01" + "00", SectionError, "ascend from 1"),
    ],
)
def test_a_bad_field_is_refused_by_name(header, error, message):
    with pytest.raises(error, match=message):
        parse(bytes.fromhex(header) + bytes(8))


def test_an_unknown_critical_section_is_refused():
    data = serialize(dataclasses.replace(PLAIN, sections=(Section(77, b"x"),)))
    with pytest.raises(SectionError, match="section 77: critical"):
        parse(data)


def test_an_unknown_optional_section_is_kept_apart():
    sections = (Section(222, b"x"),)
    assert parse(serialize(dataclasses.replace(PLAIN, sections=sections))).sections == sections


def test_a_section_that_does_not_fit_is_truncated():
    with pytest.raises(TruncatedError, match="section 200"):
        parse(
            with_checksum(
                bytes.fromhex("e747430100010100000000000000" + "01" + "c8ffff03" + "00000000")
            )
        )


def test_a_damaged_section_is_named():
    data = bytearray(serialize(dataclasses.replace(PLAIN, sections=(Section(200, b"note"),))))
    data[data.index(b"note")] ^= 1
    with pytest.raises(ChecksumError, match="section 200"):
        parse(bytes(data))


def test_too_many_pixels_are_a_limit_not_damage():
    with pytest.raises(LimitError, match="allowed 1000"):
        parse(serialize(PLAIN), max_pixels=1000)


def test_the_writer_refuses_what_the_format_cannot_hold():
    for change in ({"width": 0}, {"height": 65536}, {"quality": 1001}, {"model_id": b"abc"}):
        with pytest.raises(ValueError, match="allowed|sides|quality"):
            serialize(dataclasses.replace(PLAIN, **change))
    for ids in ((130, 129), (129, 129), tuple(range(128, 145))):
        with pytest.raises(ValueError, match="section ids"):
            serialize(dataclasses.replace(PLAIN, sections=tuple(Section(i, b"") for i in ids)))


def test_the_sections_say_how_a_picture_is_held():
    def coding(*ids):
        return dataclasses.replace(PLAIN, sections=tuple(Section(i, b"") for i in ids)).coding

    assert (coding(), coding(4, 130), coding(1, 2), coding(2, 3, 4)) == (
        "generative", "generative", "selective", "region",
    )  # fmt: skip
    assert LOSSLESS.coding == "lossless"


@pytest.mark.parametrize("other", [(1, 2), (2, 3), (4,)])
def test_an_exact_picture_excludes_what_generates_one(other):
    sections = (*(Section(i, b"x") for i in other), *LOSSLESS.sections)
    with pytest.raises(SectionError, match=f"lossless picture: found beside section {other[0]}"):
        parse(serialize(dataclasses.replace(LOSSLESS, sections=sections)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_id": b"\0\0\0\1"}, "model id: found 00000001, allowed 00000000"),
        ({"quality": 1}, "quality: found 1, allowed 0"),
        ({"symbol_digest": 0x100}, "symbol digest: found 256, allowed 0"),
        ({"payload": b"\0"}, "latents: found 1 bytes, allowed 0 bytes"),
    ],
)
def test_an_exact_picture_leaves_nothing_for_a_model(change, message):
    with pytest.raises(SectionError, match=f"lossless picture: {message}"):
        parse(serialize(dataclasses.replace(LOSSLESS, **change)))


def test_without_an_exact_picture_the_zero_model_is_one_that_nobody_has():
    assert parse(serialize(dataclasses.replace(LOSSLESS, sections=()))).coding == "generative"


@pytest.mark.parametrize("size", [(1, 1), (768, 512), (65535, 65535)])
def test_framing_of_an_exact_picture_is_small(size):
    file = dataclasses.replace(
        LOSSLESS, width=size[0], height=size[1], sections=(Section(5, bytes(1 << 20)),)
    )
    assert overhead_bytes(file) <= 23 + 8
