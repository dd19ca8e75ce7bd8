"""Every remedy, one file a family."""
