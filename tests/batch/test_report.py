"""Progress and report say what happened."""

from gccodec.batch.manifest import Record
from gccodec.batch.progress import Meter, amount, duration, line
from gccodec.batch.report import make_report


def test_time_left_follows_the_bytes_of_the_inputs():
    now = [0.0]
    meter = Meter(5, 1000, lambda: now[0])
    meter.skip(1, 200)
    now[0] = 10.0
    meter.add(100, 2_000_000, 10)
    meter.fail(100)
    state = meter.state
    assert state.left_s == 10 * (800 - 200) / 200
    assert state.megapixels_per_second == 0.2
    assert line(state) == "3/5 files, 1 failed, 0.20 MP/s, 90 B saved, 30 s left"


def test_amounts_and_durations_are_readable():
    assert [amount(n) for n in (7, 1234, 340e6, 2.1e9)] == ["7 B", "1.2 KB", "340 MB", "2.1 GB"]
    assert [duration(s) for s in (45.4, 200, 7500)] == ["45 s", "3 min 20 s", "2 h 05 min"]


def test_a_report_counts_lists_and_sorts():
    records = [
        Record(f"{i}.jpg", "ok", 1000, target=f"{i}.jpg.gcz", target_bytes=i, pixels=10)
        for i in range(30)
    ]
    records += [
        Record("z.jpg", "failed", error="the picture is damaged", exit_code=4),
        Record("b.jpg", "failed", error="No space left on device", exit_code=7),
    ]
    report = make_report(records, 3.0)
    assert report.counts == {"ok": 30, "failed": 2}
    assert (report.bytes_before, report.bytes_after) == (30_000, sum(range(30)))
    assert [size for _, size in report.largest] == list(range(29, 9, -1))
    assert report.kinds == {"damaged, or no picture": 1, "input or output": 1}
    assert report.lines()[-2:] == [
        "  b.jpg  No space left on device",
        "  z.jpg  the picture is damaged",
    ]
    assert report.as_json()["failures"][0] == {"name": "b.jpg", "error": "No space left on device"}
