"""A state says of its run what resuming and exporting need, also one from before there were
records."""

import pytest

from gccodec.training.record import RunRecord

COUNTERS = {"step": 7, "crops": 56.0, "seconds": 12.5, "average_steps": 7}
BEFORE = {"stage_one_crops": 300.0, "stage_one_seconds": 60.0}


def test_a_record_comes_back_from_its_text():
    record = RunRecord("renderer", 3, 24, 1.5, bitstream="72f453a0", log_lmbda=(1.0, -0.25))
    assert RunRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("counters", "stage"),
    [
        ({}, "1"),
        (BEFORE, "entropy"),
        (BEFORE | {"selective": 1}, "generative"),
        ({"labels": 1}, "labels"),
        ({"distance": 1}, "distance"),
        ({"serves": 0x72F453A0}, "renderer"),
        ({"thumbnail_of": 0x72F453A0}, "thumbnail"),
    ],
)
def test_counters_of_before_tell_the_stage(counters, stage):
    record = RunRecord.from_counters(COUNTERS | counters)
    assert (record.stage, record.step, record.crops, record.seconds) == (stage, 7, 56, 12.5)
    assert record.bitstream == ("72f453a0" if stage in ("renderer", "thumbnail") else None)
    assert record.transform_crops == (300 if "stage_one_crops" in counters else None)


def test_rate_weights_of_before_keep_the_order_of_their_nodes():
    found = {f"log_lmbda_{i}": float(i) for i in reversed(range(11))}
    assert RunRecord.from_counters(COUNTERS | found).log_lmbda == tuple(map(float, range(11)))


def test_a_stage_after_others_keeps_what_stage_1_had_seen():
    first = RunRecord("1", 10, 80, 5.0, log_lmbda=(1.0,))
    second, third = RunRecord("entropy", crops=16), RunRecord("generative")
    second.follow(first)
    third.follow(second)
    assert (third.transform_crops, third.transform_seconds, third.log_lmbda) == (80, 5.0, (1.0,))
