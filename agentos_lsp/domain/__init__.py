"""What is true: frozen values and pure functions. No I/O, clock, randomness, tasks or logging."""
