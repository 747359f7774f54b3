"""Speed as ratios measured side by side in one run: `python -m bench`, `python -m bench.peers`."""
