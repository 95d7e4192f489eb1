"""Workers that die take nothing with them."""

import functools
import os
import signal
import time
from typing import NamedTuple

import pytest

from gccodec.batch.engine import Failure
from gccodec.batch.pool import Pool
from gccodec.errors import LimitError, PictureError, WeightsError


class Doubler:
    """Doubles numbers; some tasks do worse things."""

    def __init__(self, folder):
        self.folder = folder

    def prepare(self, task):
        if task == "damaged":
            raise PictureError("the picture is damaged")
        return task

    def work(self, task, prepared):
        if task == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        if isinstance(task, str) and task.startswith("once"):
            mark = os.path.join(self.folder, task)
            if not os.path.exists(mark):
                open(mark, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return 1
        if task == "bug":
            raise KeyError("x")
        return 2 * prepared

    def store(self, task, done):
        if task == "full":
            raise OSError(28, "No space left on device")
        return done


class Full(Doubler):
    def work(self, task, prepared):
        return 0 if task == "full" else super().work(task, prepared)


def start(folder):
    return Full(folder)


class Writing(NamedTuple):
    target: str
    overwrite: bool = False


class DiesWhenWritten(Doubler):
    """As a worker that is killed while it verifies."""

    def store(self, task, done):
        with open(task.target, "wb" if task.overwrite else "xb"):
            pass
        if not task.overwrite:
            os.kill(os.getpid(), signal.SIGKILL)
        return "written"

    def work(self, task, prepared):
        return task


def start_dying(folder):
    return DiesWhenWritten(folder)


def no_weights():
    raise WeightsError("no weights")


def dies():
    os._exit(1)


def results(pool, tasks):
    return {outcome.task: outcome for outcome in pool.run(tasks)}


def test_every_task_has_one_outcome_whatever_happens_to_its_worker(tmp_path):
    tasks = [*range(20), "damaged", "kills", "once-a", "bug", "full", "once-b", *range(20, 30)]
    with Pool(functools.partial(start, str(tmp_path)), 2) as pool:
        outcomes = list(pool.run(iter(tasks)))
    assert sorted(map(str, (o.task for o in outcomes))) == sorted(map(str, tasks))
    by_task = {o.task: o for o in outcomes}
    assert all(by_task[i].result == 2 * i for i in range(30))
    assert by_task["damaged"].result == Failure("the picture is damaged", 4)
    assert by_task["bug"].result == Failure("internal error (KeyError: 'x')", 70)
    assert by_task["full"].result == Failure("No space left on device", 7)
    assert (by_task["once-a"].result, by_task["once-b"].result) == (1, 1)
    assert by_task["once-a"].tries == 2
    assert by_task["kills"].tries == 3
    assert "died 3 times (signal 9)" in by_task["kills"].result.message
    assert by_task["kills"].result.exit_code == 6


def test_what_keeps_a_worker_from_starting_is_raised(tmp_path):
    with Pool(no_weights, 2) as pool, pytest.raises(WeightsError, match="no weights"):
        list(pool.run([1]))
    with Pool(dies, 1) as pool, pytest.raises(LimitError, match="die as they start"):
        list(pool.run([1]))


def test_tasks_are_asked_for_as_there_is_room(tmp_path):
    asked = []

    def tasks():
        for i in range(50):
            asked.append(i)
            yield i

    with Pool(functools.partial(start, str(tmp_path)), 1) as pool:
        run = pool.run(tasks())
        next(run)
        assert len(asked) <= 4
        run.close()


def test_closing_ends_the_processes(tmp_path):
    pool = Pool(functools.partial(start, str(tmp_path)), 2)
    next(pool.run(iter([1, 2])))
    processes = [slot.process for slot in pool._slots]
    begun = time.monotonic()
    pool.close()
    assert time.monotonic() - begun < 5
    assert not any(process.is_alive() for process in processes)


def test_what_a_worker_wrote_before_it_died_is_no_obstacle_to_the_next(tmp_path):
    tasks = [Writing(str(tmp_path / name)) for name in "ab"]
    with Pool(functools.partial(start_dying, str(tmp_path)), 1) as pool:
        assert [outcome.result for outcome in pool.run(tasks)] == ["written"] * 2
