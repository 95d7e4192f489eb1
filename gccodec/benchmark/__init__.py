"""Quality against other codecs, and speed."""
