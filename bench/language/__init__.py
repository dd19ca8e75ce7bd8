"""What a person types and is told: the grammar of arms, errors, figures as text."""
