"""gccodec: photographs below 0.1 bit per pixel with a generative model."""

__version__ = "0.1.0"
