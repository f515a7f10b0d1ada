"""The simulated cluster: GPUs, the components that drive them, and the API through which these meet.

Everything here behaves as the recordings of the real components say. It knows `spec` and nothing else of the suite.
"""
