"""EXIF, ICC and XMP of a picture."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Kind = Literal["exif", "icc", "xmp"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ALL_METADATA: frozenset[Kind] = frozenset(KINDS)


class Metadata(NamedTuple):
    """exif: a TIFF structure without the "Exif" prefix, orientation upright; icc: a profile; xmp: a
    packet."""

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None

    def only(self, kinds: frozenset[Kind]) -> Metadata:
        """The metadata of these kinds, without the others."""
        return Metadata(
            **{kind: value for kind in kinds if (value := getattr(self, kind)) is not None}
        )
