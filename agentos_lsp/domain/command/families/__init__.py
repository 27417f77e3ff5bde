"""What programs would do, one table-driven file per family; `table` is the way in."""
