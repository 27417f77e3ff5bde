"""What the editor sees: the only floor that speaks LSP, one file for each LSP method."""
