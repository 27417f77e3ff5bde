"""The demo's world: the same doors with nothing behind them, so that nothing is written, started or dialled."""
