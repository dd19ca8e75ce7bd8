"""Operations at which numbers or gradients end."""
