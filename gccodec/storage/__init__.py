"""Files whole or not at all, in folders of this machine and elsewhere."""
