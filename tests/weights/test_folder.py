"""Which files of a folder a command, or a .gcz, gets."""

import dataclasses
import json

import numpy as np
import pytest

from gccodec.codec.codec import Codec
from gccodec.container.file import parse, serialize
from gccodec.errors import WeightsError
from gccodec.image.picture import Picture
from gccodec.training.export import model_files, place, place_model, renderer_bytes
from gccodec.weights.file import describe, load_weights
from gccodec.weights.folder import WeightsFolder
from gccodec.weights.model import ModelWeights
from tests.models import random_model

PICTURE = Picture.of(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Two bitstreams, the second one the default, each with its networks."""
    for seed in (0, 1):
        place_model(model_files(random_model(seed), {}), tmp_path, {})
    return tmp_path


def ids(folder):
    return sorted(
        bytes.fromhex(path.stem.rpartition("-")[2]) for path in folder.glob("bitstream-*")
    )


def change_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_each_file_finds_its_bitstream_and_the_networks_that_serve_it(folder):
    files = [
        Codec.load(folder, model_id).encode(PICTURE, quality=500, effort=0).data
        for model_id in ids(folder)
    ]
    assert [parse(data).model_id for data in files] == ids(folder)
    for data, model_id in zip(files, ids(folder), strict=True):
        weights = ModelWeights.load(folder, model_id)
        assert (
            weights.analysis().serves
            == weights.renderer().serves
            == weights.bitstream.id
            == model_id
        )
        assert Codec(weights).decode(data).pixels.shape == (20, 30, 3)
    assert WeightsFolder(folder).default_ids() == {ModelWeights.load(folder).bitstream.id}


def test_files_that_name_an_alias_hold_the_same_symbols(folder):
    default, old = ModelWeights.load(folder).bitstream.id, b"\1\2\3\4"
    change_manifest(folder, aliases={old.hex(): default.hex()})
    codec = Codec.load(folder)
    data = codec.encode(PICTURE, quality=500, effort=0).data
    renamed = serialize(dataclasses.replace(parse(data), model_id=old))
    assert Codec.load(folder, old).bitstream.id == default
    assert codec.decode(renamed).image.tobytes() == codec.decode(data).image.tobytes()
    assert WeightsFolder(folder).default_ids() == {default, old}
    (other,) = set(ids(folder)) - {default}
    with pytest.raises(WeightsError, match="needs model 01020304"):
        Codec.load(folder, other).decode(renamed)


def test_the_bitstream_alone_checks_symbols_and_lacks_pictures(folder, tmp_path):
    model_id = ids(folder)[0]
    data = Codec.load(folder, model_id).encode(PICTURE, quality=500, effort=0).data
    for path in folder.glob("[afm]*"):
        path.unlink()
    bitstream = WeightsFolder(folder).load_bitstream(parse(data).model_id)
    assert bitstream.latent_codec().context.channels
    codec = Codec.load(folder, model_id)
    with pytest.raises(WeightsError, match=f"no renderer for the bitstream {model_id.hex()}"):
        codec.decode(data)
    with pytest.raises(WeightsError, match=f"no analysis for the bitstream {model_id.hex()}"):
        codec.encode(PICTURE, quality=500, effort=0)


def test_a_decoder_reads_no_analysis_and_an_encoder_no_renderer(folder):
    weights = ModelWeights.load(folder)

    def unread():
        raise AssertionError("read")

    data = Codec(weights._replace(renderer=unread)).encode(PICTURE, quality=500, effort=0).data
    assert Codec(weights._replace(analysis=unread)).decode(data).pixels.shape == (20, 30, 3)


def test_one_of_several_renderers_is_chosen_by_name(folder):
    model = random_model(2)
    serves = WeightsFolder(folder).load_bitstream().id
    full = WeightsFolder(folder).default("renderer")
    light = place(
        renderer_bytes(model.generator, model.config, {"serves": serves.hex()}),
        folder,
        "light",
        "renderer",
        {},
    )
    find = WeightsFolder(folder).find_serving
    # placed last, and so the default
    assert find("renderer", serves) == find("renderer", serves, "light") == light
    assert find("renderer", serves, "full") == full
    with pytest.raises(WeightsError, match="no renderer 'tiny' for"):
        find("renderer", serves, "tiny")
    data = Codec.load(folder).encode(PICTURE, quality=500, effort=0).data
    pictures = [Codec.load(folder, renderer=name).decode(data).pixels for name in ("full", "light")]
    assert not np.array_equal(*pictures)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a gccodec weights file"),
        (b"\xff" * 8, "not a gccodec weights file"),
        (b"\2\0\0\0\0\0\0\0[]", "not a gccodec weights file"),
        (b'\x20\0\0\0\0\0\0\0{"__metadata__": {"serves": "x"}}', "not a gccodec weights file"),
    ],
)
def test_what_is_no_weights_file_is_said(folder, data, message):
    path = place(data, folder, "bitstream", "bitstream", {})
    with pytest.raises(WeightsError, match=message):
        describe(path)
    with pytest.raises(WeightsError, match=message):
        Codec.load(folder)


def test_a_file_of_another_role_is_refused(folder):
    path = WeightsFolder(folder).default("renderer")
    with pytest.raises(WeightsError, match="its role is 'renderer', not 'analysis'"):
        load_weights(path, "analysis")
    with pytest.raises(WeightsError, match="is a folder"):
        load_weights(folder, "analysis")
    change_manifest(folder, bitstream=path.name)
    with pytest.raises(WeightsError, match="its role is 'renderer', not 'bitstream'"):
        Codec.load(folder)


@pytest.mark.parametrize("aliases", [[], {"xy": "00"}, {"00": 1}])
def test_aliases_that_are_no_ids_are_said(folder, aliases):
    change_manifest(folder, aliases=aliases)
    with pytest.raises(WeightsError, match="aliases"):
        Codec.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000])
def test_a_manifest_that_is_none_is_said(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match=r"no usable manifest\.json"):
        Codec.load(folder)
