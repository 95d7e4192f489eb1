"""Each kind of error has the exit code that README, DESIGN and scripts go by."""

import pytest

from gccodec import errors


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("GccodecError", 1), ("UsageError", 2), ("NothingToDoError", 3), ("CorruptError", 4)),
        *(("NotGczError", 4), ("TruncatedError", 4), ("ChecksumError", 4), ("HeaderError", 4)),
        *(("SectionError", 4), ("PictureError", 4), ("WeightsError", 5), ("LimitError", 6)),
        ("FileError", 7),
    ],
)
def test_exit_codes(name, code):
    error = getattr(errors, name)("why")
    assert error.exit_code == code
    assert isinstance(error, errors.GccodecError)


def test_every_class_is_in_the_drawing_of_the_tree():
    classes = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert len(classes) == 13
    assert all(name in errors.__doc__ for name in classes)
