"""The weights of one model: its bitstream, and the networks that serve it, read when they are
needed."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gccodec.weights.bitstream import Bitstream
from gccodec.weights.file import WeightsFile, load_weights
from gccodec.weights.folder import WeightsFolder


class ModelWeights(NamedTuple):
    """What a codec is made of; analysis, renderer and distance read their files when called, or
    raise WeightsError."""

    bitstream: Bitstream
    analysis: Callable[[], WeightsFile]
    renderer: Callable[[], WeightsFile]
    distance: Callable[[], WeightsFile]

    @classmethod
    def load(
        cls, folder: Path | None = None, model_id: bytes | None = None, renderer: str | None = None
    ) -> ModelWeights:
        """From a folder, None for the installed one. WeightsError where the bitstream is missing or
        damaged.

        model_id: of the bitstream that a file asks for, None for the default; renderer: a name to
        choose by.
        """
        files = WeightsFolder.at(folder)
        bitstream = files.load_bitstream(model_id)
        return cls(
            bitstream,
            lambda: load_weights(files.find_serving("analysis", bitstream.id), "analysis"),
            lambda: load_weights(
                files.find_serving("renderer", bitstream.id, renderer), "renderer"
            ),
            lambda: files.load("distance"),
        )

    def whole(self) -> Bitstream:
        """All that training goes on from as if it were one file, under the bitstream's id."""
        parts = (self.bitstream, self.analysis(), self.renderer())
        config = {name: value for part in parts for name, value in json.loads(part.config).items()}
        arrays = ChainMap(*(dict(part.arrays) for part in parts))
        return Bitstream(
            self.bitstream.path, arrays, json.dumps(config, sort_keys=True), self.bitstream.sha256
        )
