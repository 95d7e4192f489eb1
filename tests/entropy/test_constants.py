"""Numbers that two layers hold, as neither may import the other, are the same."""

from gccodec.container import file as container
from gccodec.entropy import constants
from gccodec.weights import file as weights


def test_the_container_and_the_layers_above_agree():
    assert container.MAX_QUALITY == constants.MAX_QUALITY
    assert container.MODEL_ID_BYTES == weights.ID_BYTES


def test_a_latent_is_covered_by_whole_cells_of_a_label_map():
    assert constants.LABEL_CELLS_PER_LATENT * constants.LABEL_CELL_PX == constants.LATENT_CELL_PX
