"""What the command line prints; each module is one subcommand."""
