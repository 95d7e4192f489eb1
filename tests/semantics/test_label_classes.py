"""The unified classes and what folds into them."""

import numpy as np

from gccodec.semantics.label_classes import fold_from, unified_classes


def test_classes_are_numbered_and_have_known_parents():
    classes = unified_classes()
    assert [c.id for c in classes] == [*range(24), 255]
    names = {c.name for c in classes}
    assert len(names) == 25
    assert {c.parent for c in classes} <= names
    assert len({c.colour for c in classes}) == 25


def test_ade20k_folds_into_every_class_that_it_knows():
    table = fold_from("ade20k", 24)
    names = {c.id: c.name for c in unified_classes()}
    assert [names[int(table[i])] for i in (1, 2, 3, 7, 13, 21, 150)] == [
        "wall_fence",
        "building",
        "sky",
        "road",
        "person",
        "car",
        "pole_sign",
    ]
    assert table[0] == 24
    assert (table[151:] == 24).all()
    # hair and skin have no class of their own there
    assert set(range(24)) - set(np.unique(table[:151])) == {
        20,
        21,
    }
