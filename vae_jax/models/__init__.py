"""The variational autoencoder: towers, posterior and likelihood."""
