-- An account's, a room's or a host's line of what happened. A number is never given twice.
CREATE TABLE log (
    id      int8 PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind    int2 NOT NULL,                      -- 1 account, 2 room, 3 host
    jid     text COLLATE "C" NOT NULL UNIQUE,   -- bare
    node    int4 NOT NULL,                      -- its home
    head    int8 NOT NULL DEFAULT 0,
    offline int8 NOT NULL DEFAULT 0,
    push    int8 NOT NULL DEFAULT 0,
    total   int8 NOT NULL DEFAULT 0,
    keep    jsonb
);

-- Partitions are of 2^52 positions (49.7 days) and made by the server when the first entry
-- of one comes: `entry_<pos / 2^52>`. There is no default partition: it would cost every page
-- its order, and hold back every new partition while its rows are looked through.
CREATE TABLE entry (
    log    int8 NOT NULL,
    pos    int8 NOT NULL,                       -- unix_ms << 20, or one more than the last
    flags  int2 NOT NULL,
    peer   text COLLATE "C" NOT NULL,           -- bare: a btree row ends at 2,704 bytes
    key    int8,
    sm     int8,
    h      int8,
    ext_id text,
    stanza bytea NOT NULL,
    PRIMARY KEY (log, pos)
) PARTITION BY RANGE (pos);
CREATE INDEX entry_peer ON entry (log, peer, pos);
CREATE INDEX entry_key ON entry (log, key) WHERE key IS NOT NULL;
CREATE INDEX entry_ext_id ON entry (log, hashtextextended(ext_id, 0)) WHERE ext_id IS NOT NULL;

CREATE TABLE account (
    log     int8 PRIMARY KEY REFERENCES log (id) ON DELETE CASCADE,
    domain  text COLLATE "C" NOT NULL,
    local   text COLLATE "C" NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain, local)
);

CREATE TABLE credential (
    log        int8 NOT NULL REFERENCES account (log) ON DELETE CASCADE,
    mechanism  text NOT NULL,                   -- SCRAM-SHA-1, …
    salt       bytea NOT NULL,
    iterations int8 NOT NULL,
    stored_key bytea NOT NULL,
    server_key bytea NOT NULL,
    PRIMARY KEY (log, mechanism)
);

-- What was removed stays as a row of its own, also when the item comes back, so that it can be
-- told to who comes with an older version.
CREATE TABLE roster (
    log      int8 NOT NULL REFERENCES account (log) ON DELETE CASCADE,
    jid      text COLLATE "C" NOT NULL,
    name     text,
    groups   text[] NOT NULL,
    state    int2 NOT NULL,                     -- 1 to, 2 from, 4 asked
    approved bool NOT NULL,
    request  bytea,
    ver      int8 NOT NULL,
    removed  bool NOT NULL,
    PRIMARY KEY (log, jid, removed)
);

CREATE TABLE cell (
    name  text COLLATE "C" NOT NULL,
    log   int8 NOT NULL REFERENCES log (id) ON DELETE CASCADE,
    key   text COLLATE "C" NOT NULL,            -- at most 1,024 bytes
    value bytea NOT NULL,
    PRIMARY KEY (log, name, key)
);

-- A stream that can be resumed (XEP-0198).
CREATE TABLE session (
    id       int8 PRIMARY KEY,
    log      int8 NOT NULL REFERENCES log (id) ON DELETE CASCADE,
    sm_hash  bytea UNIQUE,
    resource text NOT NULL,
    device   text,
    h        int8 NOT NULL,
    out      int8 NOT NULL,
    mark     int8 NOT NULL,
    state    bytea,
    expires  int8 NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX session_log ON session (log);

-- What is owed to another domain or home. The body is the sender's entry.
CREATE TABLE outbox (
    domain  text COLLATE "C" NOT NULL,
    pos     int8 NOT NULL,
    log     int8 NOT NULL,
    expires int8 NOT NULL,
    PRIMARY KEY (domain, pos)
);

CREATE TABLE conversation (
    log       int8 NOT NULL REFERENCES log (id) ON DELETE CASCADE,
    peer      text COLLATE "C" NOT NULL,
    upto      int8 NOT NULL,
    unread    int4 NOT NULL,
    displayed int8 NOT NULL,
    PRIMARY KEY (log, peer)
);

-- The fence: each batch begins with its update.
CREATE TABLE writer (
    node  int4 PRIMARY KEY,
    epoch int8 NOT NULL,                        -- raised by each process that opens the store
    batch int8 NOT NULL,                        -- the last batch committed
    pos   int8 NOT NULL                         -- the last position given
) WITH (fillfactor = 50);

CREATE TABLE server (
    key   text PRIMARY KEY,
    value bytea NOT NULL
);
