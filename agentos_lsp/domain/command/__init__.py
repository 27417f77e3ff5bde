"""A command line, understood: text, to simple commands, to what they would do, to a verdict."""
