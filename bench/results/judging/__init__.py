"""How trainings are judged: their score, whether they left the plateau, and what differs how surely. No jax."""
