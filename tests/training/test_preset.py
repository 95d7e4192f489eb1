"""Presets build on one another, base on nothing; what does not fit is refused by name."""

import dataclasses

import pytest

from gccodec.errors import FileError, UsageError
from gccodec.training.preset import Preset, load_preset
from gccodec.training.stages.names import STAGE_NAMES


def written(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", ["base", "light", "mse", "perception", "tiny"])
def test_shipped_presets_are_named_and_complete(name):
    preset = load_preset(name)
    assert preset.name == name
    assert all(preset.target_crops(stage) > 0 for stage in STAGE_NAMES)


def test_a_file_changes_what_it_says_and_keeps_the_rest(tmp_path):
    preset = load_preset(written(tmp_path, 'extends = "light"\nbatch = 3\n'))
    light = load_preset("light")
    assert (preset.name, preset.batch, preset.mse_weight) == ("mine", 3, light.mse_weight)
    assert preset.renderer == light.renderer != preset.model


def test_a_file_that_extends_nothing_is_as_base(tmp_path):
    preset = load_preset(written(tmp_path, "batch = 3\n"))
    assert preset == dataclasses.replace(load_preset("base"), name="mine", batch=3)


def test_keys_of_before_are_read(tmp_path):
    preset = load_preset(written(tmp_path, "colour = false\ngrain = false\n"))
    assert (preset.augment_colour, preset.augment_noise) == (False, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crops = \n", "mine.toml"),
        ("crop = 3\n", "unexpected keyword argument 'crop'"),
        ('crops = "many"\n', "crops is 'many', expected a whole number"),
        ("crops = true\n", "crops is True, expected a whole number"),
        ("mse_weight = true\n", "mse_weight is True, expected a number"),
        ("joint = 1\n", "joint is 1, expected true or false"),
        ('adversarial_loss = "l1"\n', "expected 'hinge' or 'least-squares'"),
        ("model = 3\n", "mine.toml"),
        ('[model]\nchannels = "a"\n', "unexpected keyword argument 'channels'"),
        ('extends = "none"\n', "known are base"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load_preset(written(tmp_path, text))


def test_a_preset_cannot_extend_itself_nor_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "{path}"\n')
    with pytest.raises(UsageError, match="extends itself"):
        load_preset(str(path))
    path.write_text(f'extends = "{tmp_path / "other.toml"}"\n')
    with pytest.raises(FileError, match="other.toml: No such file"):
        load_preset(str(path))


def test_every_field_is_in_base_or_the_shape_of_a_network():
    """One truth: a preset has no values but those of files."""
    assert not any(hasattr(Preset, field) for field in Preset.__dataclass_fields__)
