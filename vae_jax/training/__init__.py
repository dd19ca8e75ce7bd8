"""Steps as pure functions, and the instruments that look into one."""
