"""A liquidation: planned before it is sent, journalled step by step, done when the broker says flat."""
