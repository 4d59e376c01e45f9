"""How much memory a process took at most."""

import resource
from pathlib import Path


def peak_memory_mb() -> float:
    """The largest resident size of this process so far, in MB.

    Linux keeps it for each program; ``getrusage`` would also count what stood in the process
    that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
