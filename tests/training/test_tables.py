"""The stored tables follow the probability model."""

import numpy as np
import torch

from gccodec.entropy.tables import TOTAL, FrequencyTables
from gccodec.model.likelihood import LOG_SCALE_MIN, LOG_SCALE_STEP, TABLES, bits
from gccodec.training.tables import all_tables


def test_tables_cost_what_training_believes():
    tables = FrequencyTables(*all_tables())
    assert len(tables) == TABLES
    for i in (0, 10, 26, 55):
        limit = int(tables.limits[i])
        symbols = np.arange(-limit, limit + 1)
        real = -np.log2(tables.tables[i][:-1] / TOTAL)
        log_scale = torch.full((len(symbols),), LOG_SCALE_MIN + LOG_SCALE_STEP * i)
        believed = bits(torch.from_numpy(symbols).float(), log_scale).numpy()
        likely = believed < 12
        assert np.abs(real - believed)[likely].max() < 0.01


def test_tables_are_symmetric():
    for table in FrequencyTables(*all_tables()).tables:
        assert np.array_equal(table[:-1], table[:-1][::-1])
