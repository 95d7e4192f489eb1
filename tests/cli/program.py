"""The program as a process of its own."""

import os
import subprocess
import sys

PROGRAM = [sys.executable, "-m", "gccodec"]
SHELL_PROGRAM = f"{sys.executable} -m gccodec"


def run(*arguments, **options):
    return subprocess.run([*PROGRAM, *map(str, arguments)], capture_output=True, **options)


def shell(command, cwd):
    return subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, cwd=cwd, env=os.environ)
