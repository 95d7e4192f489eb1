"""Stages beside each other give what they give one after the other, and end when they are no longer
wanted."""

import threading
import time

import pytest
import torch

from gccodec.model.pipeline import staged


def doubled(piece):
    return [2 * piece]


def pairs():
    """A stage that holds one piece back."""
    held = []

    def work(piece):
        held.append(piece)
        if len(held) == 2:
            yield tuple(held)
            held.clear()

    return work


def stages_alive():
    return threading.active_count()


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_pieces_come_out_in_order(threads, count):
    alone = [(2 * i, 2 * i + 2) for i in range(0, count - 1, 2)]
    before = stages_alive()
    assert list(staged(range(count), [doubled, pairs()], threads)) == alone
    assert stages_alive() == before


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("place", ["source", "stage", "consumer"])
def test_a_fault_anywhere_is_raised_where_pieces_are_taken_and_all_threads_end(threads, place):
    def source():
        for i in range(100):
            if place == "source" and i == 50:
                raise MemoryError("here")
            yield i

    def stage(piece):
        if place == "stage" and piece == 50:
            raise MemoryError("here")
        yield piece

    before, taken = stages_alive(), []

    def take():
        for piece in staged(source(), [stage, doubled], threads):
            taken.append(piece)
            if place == "consumer" and piece == 100:
                raise MemoryError("here")

    with pytest.raises(MemoryError, match="here"):
        take()
    for _ in range(100):
        if stages_alive() == before:
            break
        time.sleep(0.01)
    assert stages_alive() == before
    assert taken == [2 * i for i in range(len(taken))]


def test_what_nobody_takes_any_more_ends():
    made, before = [], stages_alive()
    pieces = staged((made.append(i) or i for i in range(1000)), [doubled, doubled], 2)
    assert next(pieces) == 0
    pieces.close()
    assert stages_alive() == before
    assert len(made) < 20


def test_no_more_compute_at_once_than_there_are_threads():
    at_work, most, lock = 0, 0, threading.Lock()

    def busy(piece):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.002)
        with lock:
            at_work -= 1
        return [piece]

    def source():
        for i in range(30):
            yield busy(i)[0]

    for piece in staged(source(), [busy, busy, busy], 2):
        busy(piece)
    assert most == 2


def test_the_number_of_threads_of_a_stage_is_its_own():
    def elsewhere():
        found = []
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        return found[0]

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for threads, each in ((2, 1), (3, 1), (8, 2)):
            for seen in staged(range(5), [lambda piece: [torch.get_num_threads()]], threads):
                assert (seen, torch.get_num_threads(), elsewhere()) == (each, each, 2)
            assert (torch.get_num_threads(), elsewhere()) == (2, 2)
    finally:
        torch.set_num_threads(before)


def test_stages_work_beside_each_other():
    """Each waits for the other, which would never end one after the other."""
    met = threading.Barrier(2, timeout=10)

    def meet(piece):
        if piece == 7:
            met.wait()
        return [piece]

    def source():
        for i in range(20):
            if i == 8:
                met.wait()
            yield i

    assert list(staged(source(), [meet], 2)) == list(range(20))
