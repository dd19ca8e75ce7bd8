"""Every setting in which a training provably stalls, one file each."""
