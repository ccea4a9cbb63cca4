"""One module per question, run as `python -m experiments.<name>`."""
