"""The load test: realistic items at a given rate, how far each Region lags behind, and whether all agree in the end.

``plan`` and ``items`` say what is written, as pure functions of a run's settings; ``writer``, ``watcher`` and
``convergence`` work on DynamoDB; ``journal`` keeps what was done, so that an interrupted run goes on; ``report`` and
``chart`` show it; ``session`` puts them together.
"""
