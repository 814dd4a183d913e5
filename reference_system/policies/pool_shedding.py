"""Whether a call may wait for a database connection while all are in use, by how many wait and how important it is.

Without a bound the queue grows until everybody in it waits for longer than anybody waits for an answer, and then the
database works for nobody. The less important give up first, so that the important find a short queue; priority 1 is
never refused and has its deadline. Knows nothing of what a call may have done before: whoever asks does.
"""

import math

# Calls that wait ÷ connections, by priority; ours. At 500 ms a statement priority 1 finds a queue of 0.8 s at most, and
# at 3 ms a burst of a hundred milliseconds' requests is gone before anybody is refused.
WAITING_AT_MOST = {2: 1.6, 3: 0.8, 4: 0.4}


def refuses(*, waiting: int, connections: int, priority: int) -> bool:
    return waiting >= connections * WAITING_AT_MOST.get(priority, math.inf)
