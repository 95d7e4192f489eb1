"""Ids of sections are part of the format."""

from gccodec.container.section import METADATA, SectionId, is_critical


def test_ids_never_change():
    assert {section.name: int(section) for section in SectionId} == {
        "LABEL_MAP": 1,
        "KEEP_MASK": 2,
        "REST_QUALITY": 3,
        "ALPHA": 4,
        "LOSSLESS": 5,
        "EXIF": 128,
        "ICC": 129,
        "XMP": 130,
        "FLAT_PARTS": 131,
    }


def test_readers_may_skip_from_128_on():
    assert [is_critical(n) for n in (1, 127, 128, 255)] == [True, True, False, False]
    assert not any(is_critical(section) for section in METADATA)
