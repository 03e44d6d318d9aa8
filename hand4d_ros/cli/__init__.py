"""Arguments of a shell in, an exit status, tables and files out; one module a command."""
