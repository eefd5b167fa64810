"""The command line: arguments in → the library → text, tables and exit codes out."""
