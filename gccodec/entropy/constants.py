"""Numbers that files and weights agree on, and how they are related (FORMAT.md)."""

from __future__ import annotations

MAX_QUALITY = 1000
"""Qualities are integers 0..MAX_QUALITY, a tenth of the command line's unit."""

LATENT_CELL_PX = 16
"""Pixels along one side of a latent position."""

LABEL_CELL_PX = 8
"""Pixels along one side of a label map's cell."""

LABEL_CELLS_PER_LATENT = LATENT_CELL_PX // LABEL_CELL_PX
"""Cells of a label map along one side of a latent position."""

HYPER_BLOCK = 4
"""Latent positions along one side of a block of the hyperprior."""

LABEL_CLASSES = 24
"""Unified semantic classes."""

UNKNOWN_LABEL = LABEL_CLASSES
"""The id of a label map's cells whose class is not known."""

LATENT_FRACTION_BITS = 7
"""Latents and means are in 1/128 of a quantization step.

In 1/16, training cannot settle: a mean's best value lies between two of its grid, the weights
oscillate about the tie, and at low qualities, where steps are large, each crossing moves a visible
pattern (weights/experiments, "Finer means").
"""

MAX_LATENT = (1 << 15) - 1
"""Latents fit int16."""

INPUT_FRACTION_BITS = 5
INPUT_UNIT = 1 << INPUT_FRACTION_BITS
"""Inputs and activations of the context model are in 1/32."""

MAX_INPUT, MAX_ACTIVATION = 127, 255
"""In 1/32: inputs fit int8, activations uint8."""

INPUT_SHIFT = 15
"""Fraction bits of what latents are multiplied by to become inputs."""

MAX_HYPER_LATENT = 31

INDEX_FRACTION_BITS = 4
"""Table indices are in sixteenths before they are rounded."""

MAX_WEIGHT = 127
"""Weights fit int8."""

EXACT_LIMIT = 1 << 24
"""Sums of integers below it are exact in float32, in any order."""
