"""Rules that say what to keep."""

import numpy as np
import pytest

from gccodec.errors import UsageError
from gccodec.semantics.keep_mask import keep_mask
from gccodec.semantics.keep_rule import (
    Annotation,
    KeepClasses,
    KeepInstances,
    KeepPolygon,
    parse_rule,
    pixels_to_keep,
)
from gccodec.semantics.region import Region


def test_rules_are_read():
    assert parse_rule("class:car,animal") == KeepClasses((13, 15))
    # with hair, skin and clothing
    assert parse_rule("class:person") == KeepClasses((11, 20, 21, 22))
    assert parse_rule("instance:7,12") == KeepInstances((7, 12))
    assert parse_rule("box:40,60,200,300") == Region(40, 60, 200, 300)
    assert parse_rule("polygon:0,0;10,0;0,10") == KeepPolygon(((0, 0), (10, 0), (0, 10)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "known are class:NAME"),
        ("circle:1,2,3", "known are class:NAME"),
        ("class:unicorn", "known are sky, road"),
        ("class:void", "known are sky, road"),
        ("class:", "known are sky, road"),
        ("box:1,2,3", "X,Y,WIDTH,HEIGHT"),
        ("instance:x", "instance:ID"),
        ("polygon:1,1;2,2", "at least three corners"),
    ],
)
def test_bad_rules_name_what_is_valid(text, message):
    with pytest.raises(UsageError, match=message):
        parse_rule(text)


LABELS = np.zeros((50, 70), np.uint8)
LABELS[20:24, 33:34] = 11
INSTANCES = (LABELS == 11).astype(np.uint16) * 7


def kept(*rules, masks=(), annotation=Annotation(LABELS, INSTANCES)):  # noqa: B008  # immutable
    mask = keep_mask(pixels_to_keep([parse_rule(r) for r in rules], masks, annotation, 70, 50))
    assert mask.shape == (4, 5)
    return sorted(map(tuple, np.argwhere(mask).tolist()))


def test_every_rule_marks_the_cells_that_it_touches():
    assert kept() == []
    assert kept("box:15,15,2,2") == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert kept("class:person") == kept("instance:7") == [(1, 2)]
    assert kept("polygon:64,0;69,0;69,49") == [(0, 4), (1, 4), (2, 4), (3, 4)]
    mask = np.zeros((50, 70), bool)
    mask[49, 0] = True
    assert kept("class:person", masks=[mask]) == [(1, 2), (3, 0)]


@pytest.mark.parametrize(
    ("rule", "annotation", "message"),
    [
        ("class:car", Annotation(), "needs a label map"),
        ("instance:7", Annotation(LABELS), "needs an instance map"),
        ("instance:9", Annotation(LABELS, INSTANCES), "the map holds 0, 7"),
        ("box:60,0,20,10", Annotation(), "not within the 70x50"),
        ("polygon:0,0;70,0;0,10", Annotation(), "not within the 70x50"),
    ],
)
def test_rules_that_cannot_be_met_are_refused(rule, annotation, message):
    with pytest.raises(UsageError, match=message):
        kept(rule, annotation=annotation)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(UsageError, match="3x2, the picture is 70x50"):
        kept(masks=[np.ones((2, 3), bool)])
