"""How fast Wavedeck runs a wave, beside its peers: `python -m benchmarks.wave`."""
