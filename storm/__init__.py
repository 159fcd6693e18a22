"""Payments while everything is killed at random; afterwards a judgement. `bin/storm`."""
