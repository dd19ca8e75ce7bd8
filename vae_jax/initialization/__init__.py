"""How weights are drawn, and corrected by what the data look like there."""
