"""What touches the world: one door for each outside thing."""
