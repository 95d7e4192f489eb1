"""From the public checkpoints that others have published to the frozen networks of metrics and
losses."""
