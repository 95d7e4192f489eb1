"""Curves of other codecs."""

import pytest

from gccodec.benchmark.reference import at_rate, mean_at_rate, rate_for, read_curves

TSV = """image\tsetting\tbytes\tbpp\tpsnr_db\tms_ssim\tlpips_alex\tlpips_squeeze
a\t1\t9\t0.4\t30\t0.9\t0.1\t0
a\t2\t9\t0.1\t26\t0.8\t0.3\t0
b\t1\t9\t0.2\t28\t0.9\t0.2\t0
b\t2\t9\t0.1\t24\t0.7\t0.5\t0
"""


@pytest.fixture
def curves(tmp_path):
    path = tmp_path / "set-codec.tsv"
    path.write_text(TSV)
    return read_curves(path)


def test_interpolation_is_linear_over_log_rate(curves):
    assert at_rate(curves["a"], 0.2, "psnr_db") == pytest.approx(28)
    assert at_rate(curves["a"], 0.1, "lpips_alex") == pytest.approx(0.3)


def test_extrapolation_reaches_a_factor_of_two(curves):
    assert at_rate(curves["a"], 0.05, "psnr_db") == pytest.approx(24)
    assert at_rate(curves["a"], 0.04, "psnr_db") is None
    assert mean_at_rate(curves, 0.5, "psnr_db") is None


def test_means_and_the_rate_for_a_target(curves):
    assert mean_at_rate(curves, 0.1, "lpips_alex") == pytest.approx(0.4)
    assert rate_for(curves, 0.35, [0.1, 0.15, 0.2]) == 0.15
    assert rate_for(curves, 0.01, [0.1, 0.15, 0.2]) is None
