"""The parts of `AdvancedRiskManager`, one subject a file."""
