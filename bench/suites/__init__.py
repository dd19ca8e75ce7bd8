"""Named lists of arms with their protocol, one file each."""
