"""What the numbers mean: pure functions, arrays in, floats or small records out.

They know no trading words and import nothing of this package but its errors. Losses, VaR, ES and
drawdowns are positive; a negative VaR is a gain and is not clipped.
"""
