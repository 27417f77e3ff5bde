"""What a change must pass before it is committed: a table of rules, each with its own examples, and who applies it."""
