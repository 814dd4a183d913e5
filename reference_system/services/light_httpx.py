"""httpx without its command line, which loads what it draws in terminals with: a sixth of a service's start.

Where that cannot be had httpx goes on without, as it does where it was installed so. Whoever wants it for itself can
still import it afterwards.
"""

import sys

_DRAWS = "rich"

if _DRAWS in sys.modules:
    import httpx
else:
    sys.modules[_DRAWS] = None  # type: ignore[assignment]  # "cannot be had", to Python's import
    try:
        import httpx
    finally:
        del sys.modules[_DRAWS]

__all__ = ["httpx"]
