"""The curve of a run."""

from gccodec.training.log import append_row


def test_the_curve_is_a_table_with_one_head(tmp_path):
    for crops in (8, 16):
        append_row(tmp_path / "log.tsv", {"crops": crops, "loss": 0.5})
    append_row(tmp_path / "log.tsv", {"crops": 24, "psnr_db": 20.0})
    rows = [line.split("\t") for line in (tmp_path / "log.tsv").read_text().splitlines()]
    assert rows[0] == ["time", "crops", "loss"]
    assert [row[1:] for row in rows[1:3]] == [["8", "0.5"], ["16", "0.5"]]
    assert rows[3] == ["time", "crops", "psnr_db"]
    assert rows[4][1:] == ["24", "20"]
