"""The messages of an archive that is written, as bench/message.rs makes those that are said."""

import time

RUN = "00000001"
BODY_BYTES = 100


def ends(pattern, pair):
    """Who speaks and who is spoken to, without domain."""
    return (pattern.replace("%d", str(number)) for number in (2 * pair - 1, 2 * pair))


def bodies(rows):
    """When each was said, in unix seconds, one after the other; its id, its body."""
    first = int(time.time()) - rows
    for number in range(rows):
        body = f"{RUN} 0 {number} 0 ".ljust(BODY_BYTES, "x")
        yield first + number, f"{RUN}-{number}", body
