"""The command line: words in, sentences out; one file a command."""
