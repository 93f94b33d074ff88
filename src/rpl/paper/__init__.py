"""All of the paper: its matrix of runs, the queue, figures, tables and pages; nobody imports it."""
