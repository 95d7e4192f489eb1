"""One ceiling for all files together."""

import numpy as np
import pytest

from gccodec.batch import archive as archive_module
from gccodec.batch.engine import Failure, Outcome, ThisProcess
from gccodec.batch.manifest import Record
from gccodec.batch.options import EncodeOptions
from gccodec.batch.plan import Job
from gccodec.batch.total import GRID, Curve, Pace, fitted, shuffled
from gccodec.errors import UsageError
from gccodec.storage.entry import Entry
from tests.batch.conftest import picture
from tests.batch.test_archive import encode, records


def jobs_of(count):
    return [Job(Entry("/in", f"{i}.jpg", 1000, 0), f"{i}.jpg.gcz") for i in range(count)]


class Sizes:
    """An engine that knows what each picture takes at each quality."""

    def __init__(self, factors, broken=()):
        self.factors, self.broken, self.measured = factors, broken, 0

    def size(self, name, quality):
        return int(self.factors[name] * 300 * np.exp(quality / 350))

    def run(self, tasks):
        for task in tasks:
            name = task.source.name
            self.measured += len(task.qualities)
            failed = name in self.broken
            yield Outcome(
                task,
                Failure("bad", 4) if failed else [self.size(name, q) for q in task.qualities],
                1,
            )


def test_a_curve_finds_the_largest_quality_that_fits():
    curve = Curve(GRID, [100 * (q + 1) for q in GRID])
    for size in (100, 5000, 20_000, 90_000):
        quality = curve.quality(size)
        assert curve.size(quality) <= size * (1 + 1e-9)
        assert quality == 1000 or curve.size(quality + 1) > size
    assert curve.quality(1) == 0
    assert curve.quality(1e9) == 1000


@pytest.mark.parametrize("budget", [20_000, 60_000, 150_000])
def test_few_pictures_get_one_quality_just_below_the_ceiling(budget):
    jobs = jobs_of(20)
    engine = Sizes({job.source.name: 1 + i / 10 for i, job in enumerate(jobs)}, broken={"3.jpg"})
    fit = fitted(engine, jobs, budget)
    assert fit.failures == {"3.jpg": Failure("bad", 4)}
    total = sum(engine.size(name, quality) for name, quality in fit.qualities.items())
    assert 0.99 * budget <= total <= budget
    assert max(fit.qualities.values()) - min(fit.qualities.values()) <= 1


def test_a_ceiling_that_no_quality_reaches_is_refused():
    jobs = jobs_of(3)
    with pytest.raises(UsageError, match="--total: at the lowest quality the last 3 pictures take"):
        fitted(Sizes({job.source.name: 1.0 for job in jobs}), jobs, 100)
    engine = Sizes({job.source.name: 1.0 for job in jobs})
    assert set(fitted(engine, jobs, 10**9).qualities.values()) == {1000}


@pytest.mark.parametrize("seed", range(5))
def test_the_pace_leads_thousands_to_the_ceiling(seed):
    rng = np.random.default_rng(seed)
    jobs = shuffled(jobs_of(3000))
    factors = {job.source.name: float(np.exp(rng.normal(0, 0.8))) for job in jobs}
    engine = Sizes(factors)
    sample, budget = [factors[job.source.name] for job in jobs[-48:]], 3000 * 1200.0
    curve = Curve(GRID, [float(np.mean(sample)) * 300 * np.exp(q / 350) for q in GRID])
    pace = Pace(curve, dict.fromkeys(factors, 1.0), budget, 48)
    qualities, waiting = [], []
    for job in jobs[:-48]:
        name = job.source.name
        qualities.append(pace.next_quality(name))
        waiting.append(Record(name, "ok", target_bytes=engine.size(name, qualities[-1])))
        if len(waiting) == 4:  # as workers hold them
            pace.seen(waiting.pop(0))
    for record in waiting:
        pace.seen(record)
    assert np.std(qualities[1000:]) < 15
    rest = pace.budget_bytes
    fit = fitted(engine, jobs[-48:], rest, pace.quality)
    last = sum(engine.size(name, q) for name, q in fit.qualities.items())
    assert 0.99 * budget <= budget - rest + last <= budget


def between_the_qualities(photos, tmp_path):
    """A ceiling halfway between what the lowest and the highest quality take."""
    totals = []
    for quality in (0, 1000):
        report = encode(photos, tmp_path / str(quality), EncodeOptions(quality=quality, effort=0))
        totals.append(report.bytes_after)
    return int((totals[0] * totals[1]) ** 0.5)


def test_an_archive_under_a_ceiling(photos, tmp_path):
    for i in range(9):
        picture(10 + i, (96, 80)).save(photos / f"{i}.jpg")
    ceiling = between_the_qualities(photos, tmp_path)
    encode(photos, tmp_path / "archive", EncodeOptions(total_bytes=ceiling, effort=0))
    done = [r for r in records(tmp_path / "archive").values() if r.status == "ok"]
    assert len(done) == 12
    assert 0.97 * ceiling <= sum(r.target_bytes for r in done) <= ceiling


def test_a_large_archive_is_sampled_corrected_and_fitted_also_after_an_interruption(
    photos, tmp_path, monkeypatch
):
    monkeypatch.setattr(archive_module, "LAST", 4)
    for i in range(16):
        picture(10 + i, (64 + 4 * i, 80)).save(photos / f"{i}.jpg")
    ceiling = between_the_qualities(photos, tmp_path)
    options = EncodeOptions(total_bytes=ceiling, effort=0)

    class Interrupted(ThisProcess):
        def run(self, tasks):
            for number, outcome in enumerate(super().run(tasks)):
                if number == 8:
                    raise KeyboardInterrupt
                yield outcome

    with pytest.raises(KeyboardInterrupt):
        encode(photos, tmp_path / "archive", options, Interrupted)
    encode(photos, tmp_path / "archive", options, resume=True)
    done = [r for r in records(tmp_path / "archive").values() if r.status == "ok"]
    assert len(done) == 19
    assert 0.95 * ceiling <= sum(r.target_bytes for r in done) <= ceiling
    assert sum(f.stat().st_size for f in (tmp_path / "archive").rglob("*.gcz")) <= ceiling
