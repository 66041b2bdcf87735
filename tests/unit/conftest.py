"""How the property tests run: the same examples each time, and no deadline, which a busy machine would miss.

``pytest --hypothesis-profile=thorough`` looks for more, and for others each time.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("domicile", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=5000)
settings.load_profile("domicile")
