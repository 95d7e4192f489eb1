"""gccodec: photographs below 0.1 bit per pixel with a generative model."""

import os

# numpy's threads wait for work by spinning, and so starve torch's: with both, a small picture takes three times as
# long. numpy's products are small here. Without effect when numpy was imported before.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
