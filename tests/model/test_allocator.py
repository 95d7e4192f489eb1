import platform
import subprocess
import sys

import pytest

POOLS = """
import ctypes
import sys
import threading
import torch
from gccodec.model.allocator import share_freed_memory

if sys.argv[1] == "shared":
    share_freed_memory()
together = threading.Barrier(4)

def allocate():
    together.wait()
    torch.ones(1000)
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own")
def test_threads_allocate_from_one_pool(tmp_path):
    def pools(mode):
        command = [sys.executable, "-c", POOLS, mode, str(tmp_path / mode)]
        subprocess.run(command, capture_output=True, check=True)
        return (tmp_path / mode).read_text().count("<heap ")

    if pools("apart") < 2:
        pytest.skip("the allocator of this machine has no pools")
    assert pools("shared") == 1
