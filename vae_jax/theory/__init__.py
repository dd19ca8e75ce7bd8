"""What mean-field theory and the linear Gaussian model foretell."""
