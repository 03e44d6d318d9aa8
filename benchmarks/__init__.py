"""Programs that measure: each prints a table, writes JSON and says how to repeat it."""
