"""Posts that readers fetch themselves: of each account that is pulled a sorted set in Redis, by time.

`celebrity_tl:{account}` holds its newest posts, and the sorted set `pulled` the accounts of which some were delivered
less than `KEPT_S` ago, so that a reader need not look at the others. A cached home timeline was built from all that
there was, and lives for a minute; whatever was pulled since is in these sets for longer than that. So whether an
account is pushed or pulled may change with every post, and nothing has to be moved. Whom a reader follows is cached
beside the list, built and outdated with it (`home_follows:{user}`).
"""

from collections.abc import Iterable

from reference_system.data.posts import Post
from reference_system.data.resp import Command
from reference_system.data.statements import PAGE
from reference_system.data.timelines import KEEP, TTL_S, Kind

KEPT_S = 2 * TTL_S[Kind.HOME]  # a list's life, and as long again for its build and for clocks

# ARGV: account, post, its time, now, seconds kept, posts kept. May be done twice.
_PULL = """
local list = 'celebrity_tl:' .. ARGV[1]
redis.call('ZADD', list, ARGV[3], ARGV[2])
redis.call('ZREMRANGEBYRANK', list, 0, -ARGV[6] - 1)
redis.call('EXPIRE', list, ARGV[5])
redis.call('ZADD', 'pulled', 'GT', ARGV[4], ARGV[1])
redis.call('ZREMRANGEBYSCORE', 'pulled', '-inf', ARGV[4] - ARGV[5])
return 1
"""

# ARGV: reader, posts wanted. Nil where it is not known whom the reader follows. Bounded by that, and by the posts that
# are wanted of each: even with everybody pulled a few hundred.
_LOOK = """
local follows = redis.call('GET', 'home_follows:' .. ARGV[1])
if not follows then return false end
local found = {}
if redis.call('EXISTS', 'pulled') == 1 then
  for account in string.gmatch(follows, '[^,]+') do
    if redis.call('ZSCORE', 'pulled', account) then
      local posts = redis.call('ZREVRANGE', 'celebrity_tl:' .. account, 0, ARGV[2] - 1, 'WITHSCORES')
      for n = 1, #posts, 2 do found[#found + 1] = {posts[n], tonumber(posts[n + 1])} end
    end
  end
end
table.sort(found, function(one, other) return one[2] > other[2] end)
local newest = {}
for n = 1, math.min(#found, ARGV[2]) do newest[n] = found[n][1] end
return newest
"""


def pull(post: Post, *, now_s: float) -> Command:
    """The command after which the followers find a post when they read."""
    return ("EVAL", _PULL, 0, post.author, post.id, repr(post.created_at), repr(now_s), KEPT_S, KEEP)


def look(reader: str) -> Command:
    """Asks for the newest ids that the reader pulls, newest first, as many as a list holds; the reply is None where
    that cannot be said."""
    return ("EVAL", _LOOK, 0, reader, KEEP)


def follows(reader: str, accounts: Iterable[str]) -> tuple[str, bytes]:
    """The key and value that say whom a reader follows."""
    return f"home_follows:{reader}", ",".join(accounts).encode()


assert KEEP >= PAGE
