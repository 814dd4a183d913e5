"""Memory that was freed is kept by this process, for the arrays that come next.

Judging makes and drops arrays of hundreds of megabytes. glibc and Arrow give each of them back to the kernel, which
clears its pages again for the next: in a history of a million operations, a third of all time. The price is that the
process never becomes smaller again; it is one that ends after judging.
"""

import ctypes

import pyarrow as pa

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of `man 3 mallopt`
NEVER = 2**31 - 1  # bytes free at the heap's end


def keep_freed_memory() -> None:
    """For glibc; elsewhere `mallopt` is missing and nothing is changed."""
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, NEVER)
        mallopt(M_MMAP_MAX, 0)
