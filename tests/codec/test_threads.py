"""Codecs at work in several threads, and in forked children; the caller's program is left as it
was."""

import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gccodec.codec.codec import Codec
from gccodec.errors import GccodecError
from gccodec.image.picture import Picture
from gccodec.semantics.segmentation import Labeller
from gccodec.semantics.selection import Selection
from tests.models import random_distance, random_segmenter_weights, random_weights

THREADS = 4
EFFORTS = ((0, 4), (1, 2), (2,), (3,))
"""Of each thread's files. Those above take more of the same steps."""
WEIGHTS = random_weights(selective=True)._replace(distance=random_distance)


def new_codec():
    return Codec(WEIGHTS)


def picture(seed):
    return Picture.of(np.random.default_rng(seed).integers(0, 256, (34, 40, 3), np.uint8))


def selection(seed):
    """A part kept; with every other seed, the rest synthesised from labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 24, (5, 5), np.uint8) if seed % 2 else None
    return Selection(rng.random((3, 3)) < 0.5, labels, 100)


def made(codec, seed):
    """The files of a picture at some efforts, under a ceiling and with a selection, and what comes
    back."""
    files = [codec.encode(picture(seed), quality=400, effort=e).data for e in EFFORTS[seed]]
    files.append(codec.encode(picture(seed), size_bytes=200, effort=1).data)
    files.append(codec.encode(picture(seed), quality=400, selection=selection(seed), effort=1).data)
    return files, [codec.decode(file).image.tobytes() for file in files[::3]]


def at_once(calls):
    """The results of calls that all begin at the same moment, each in a thread of its own."""
    start = threading.Barrier(len(calls))

    def begun(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begun, calls))


@pytest.fixture(scope="module")
def expected():
    """What one thread makes of each picture, one after the other."""
    codec = new_codec()
    return [made(codec, seed) for seed in range(THREADS)]


def test_several_codecs_in_several_threads_do_as_one(expected):
    assert at_once([lambda s=s: made(new_codec(), s) for s in range(THREADS)]) == expected


def test_threads_may_share_a_codec(expected):
    codec = new_codec()
    assert at_once([lambda s=s: made(codec, s) for s in range(THREADS)]) == expected


def test_threads_that_share_a_codec_load_its_distance_once():
    loaded = []
    codec = Codec(WEIGHTS._replace(distance=lambda: loaded.append(1) or random_distance()))
    assert at_once([lambda: codec.can_refine] * THREADS) == [True] * THREADS
    assert len(loaded) == 1


def test_progress_is_told_to_the_call_that_it_is_of():
    codec = new_codec()

    def told(quality):
        heard = []
        data = codec.encode(
            picture(0), quality=quality, progress=lambda *facts: heard.append(facts), effort=0
        ).data
        list(codec.decode_strips(data, progress=lambda *facts: heard.append(facts)).strips)
        return heard

    for quality, heard in zip(
        (100, 200, 300, 400), at_once([lambda q=100 * n: told(q) for n in range(1, 5)]), strict=True
    ):
        assert heard[0] == (f"analysis at quality {quality // 10}", 3, 3)
        assert heard[1:] == [("generation", 34, 34)]


def settings():
    """What a program may have set in torch, numpy and Python, as this thread sees it."""
    return (
        torch.get_rng_state().tolist(),
        (torch.get_num_threads(), torch.get_num_interop_threads()),
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype()),
        (
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_cache_enabled(),
        ),
        (
            torch.backends.mkldnn.enabled,
            torch._C._get_nnpack_enabled(),
            torch.are_deterministic_algorithms_enabled(),
        ),
        (torch.is_anomaly_enabled(), torch.overrides._get_current_function_mode_stack()),
        (np.geterr(), np.random.get_state()[1].tolist()),
        (warnings.filters[:], dict(os.environ), sys.getrecursionlimit(), threading.excepthook),
    )


def test_the_callers_settings_are_left_as_they_are():
    def everything(seed):
        before = settings()
        codec = new_codec()
        codec.decode(codec.encode(picture(seed), size_bytes=500, effort=1 + seed).data)
        strips = codec.decode_strips(codec.encode(picture(seed), quality=100, effort=0).data).strips
        while next(strips, None) is not None:
            assert settings() == before  # nothing leaks out between two strips
        Labeller(random_segmenter_weights()).cells(picture(seed).whole())
        return settings() == before

    torch.manual_seed(5)
    before = settings()
    assert everything(0)
    assert at_once([lambda s=s: everything(s) for s in range(THREADS)]) == [True] * THREADS
    assert settings() == before


def test_a_call_that_fails_leaves_them_too():
    before, codec = settings(), new_codec()
    data = codec.encode(picture(0), quality=300, effort=0).data
    for action in (
        lambda: codec.encode(picture(0), size_bytes=5, effort=2),
        lambda: codec.decode(data[:-9] + bytes(9)),
        lambda: codec.encode(picture(0), quality=300, effort=1, progress=lambda *_: 1 / 0),
    ):
        with pytest.raises((GccodecError, ZeroDivisionError)):
            action()
        assert settings() == before


FORKED = """
import multiprocessing, os, sys
import numpy as np
import torch
from gccodec.codec.codec import Codec
from gccodec.semantics.segmentation import Labeller
from gccodec.errors import GccodecError
from gccodec.image.picture import Picture
from tests.codec.test_threads import made, new_codec
from tests.models import random_segmenter_weights

torch.set_num_threads(2)
large = Picture.of(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8))
codec, labeller = new_codec(), Labeller(random_segmenter_weights())

def everything(codec, labeller):
    data = codec.encode(large, quality=300, effort=1).data
    return data, codec.decode(data).image.size, labeller.cells(large.whole()).tobytes()

expected = everything(codec, labeller)

def inherited(n):
    return everything(codec, labeller) == expected, torch.get_num_threads()

def own(n):
    return everything(new_codec(), Labeller(random_segmenter_weights())) == expected, torch.get_num_threads()

if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(inherited, range(2)), pool.map(own, range(2)))
    child = os.fork()
    if child == 0:
        os._exit(0 if inherited(0)[0] else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, torch.get_num_threads(), everything(codec, labeller) == expected)
"""


def test_a_forked_child_computes_with_its_only_thread():
    """With the threads of its parent, which were not forked, it would wait forever."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    environment = os.environ | {
        "PYTHONPATH": os.getcwd(),
        "OMP_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "passive",
    }
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, errors = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children, too
            raise
    assert process.returncode == 0, errors
    assert out.splitlines() == [f"{[(True, 1)] * 2} {[(True, 1)] * 2}", "0 2 True"]
