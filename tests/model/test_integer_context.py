"""The integer context model of a weights file and the float one undo each other."""

import numpy as np

from gccodec.model.config import ModelConfig
from gccodec.model.context import ContextModel
from gccodec.model.integer_context import integer_context, load_integer_context
from tests.models import random_weights


def test_what_is_loaded_is_exported_as_it_was():
    bitstream = random_weights(3, selective=True).bitstream
    model = ContextModel(ModelConfig.from_json(bitstream.config))
    load_integer_context(model, bitstream)
    exported = integer_context(model)
    stored = {
        name.removeprefix("context."): array
        for name, array in bitstream.arrays.items()
        if name.startswith("context.") and name != "context.known_answer"
    }
    assert exported.keys() == stored.keys()
    for name, array in exported.items():
        assert np.array_equal(array, stored[name]), name
