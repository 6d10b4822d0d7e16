"""The runtime facade: what emitted code calls as `rt.*`."""
