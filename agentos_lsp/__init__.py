"""agentos-lsp: a runtime that lets coding agents work inside a predictable blast radius, steered from an editor."""

__version__ = "0.1.0"
