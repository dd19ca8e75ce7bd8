"""What a loss makes of its outputs: likelihood, divergence, weights, and the use of z."""
