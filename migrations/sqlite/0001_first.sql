-- An account's, a room's or a host's line of what happened. A number is never given twice.
CREATE TABLE log (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    INTEGER NOT NULL,                   -- 1 account, 2 room, 3 host
    jid     TEXT NOT NULL UNIQUE,               -- bare
    node    INTEGER NOT NULL,                   -- its home
    head    INTEGER NOT NULL DEFAULT 0,
    offline INTEGER NOT NULL DEFAULT 0,
    push    INTEGER NOT NULL DEFAULT 0,
    total   INTEGER NOT NULL DEFAULT 0,
    keep    TEXT                                -- JSON
) STRICT;

CREATE TABLE entry (
    log    INTEGER NOT NULL,
    pos    INTEGER NOT NULL,                    -- unix_ms << 20, or one more than the last
    flags  INTEGER NOT NULL,
    peer   TEXT NOT NULL,                       -- bare
    key    INTEGER,
    sm     INTEGER,
    h      INTEGER,
    ext_id TEXT,
    stanza BLOB NOT NULL,
    PRIMARY KEY (log, pos)
) STRICT;
CREATE INDEX entry_peer ON entry (log, peer, pos);
CREATE INDEX entry_key ON entry (log, key) WHERE key IS NOT NULL;
CREATE INDEX entry_ext_id ON entry (log, ext_id) WHERE ext_id IS NOT NULL;

CREATE TABLE account (
    log     INTEGER PRIMARY KEY REFERENCES log (id) ON DELETE CASCADE,
    domain  TEXT NOT NULL,
    local   TEXT NOT NULL,
    created INTEGER NOT NULL DEFAULT (unixepoch()),
    UNIQUE (domain, local)
) STRICT;

CREATE TABLE credential (
    log        INTEGER NOT NULL REFERENCES account (log) ON DELETE CASCADE,
    mechanism  TEXT NOT NULL,                   -- SCRAM-SHA-1, …
    salt       BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (log, mechanism)
) STRICT, WITHOUT ROWID;

-- What was removed stays as a row of its own, also when the item comes back, so that it can be
-- told to who comes with an older version.
CREATE TABLE roster (
    log      INTEGER NOT NULL REFERENCES account (log) ON DELETE CASCADE,
    jid      TEXT NOT NULL,
    name     TEXT,
    groups   TEXT NOT NULL,                     -- a JSON array of strings
    state    INTEGER NOT NULL,                  -- 1 to, 2 from, 4 asked
    approved INTEGER NOT NULL,
    request  BLOB,
    ver      INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    PRIMARY KEY (log, jid, removed)
) STRICT;

CREATE TABLE cell (
    name  TEXT NOT NULL,
    log   INTEGER NOT NULL REFERENCES log (id) ON DELETE CASCADE,
    key   TEXT NOT NULL,                        -- at most 1,024 bytes
    value BLOB NOT NULL,
    PRIMARY KEY (log, name, key)
) STRICT;

-- A stream that can be resumed (XEP-0198).
CREATE TABLE session (
    id       INTEGER PRIMARY KEY,
    log      INTEGER NOT NULL REFERENCES log (id) ON DELETE CASCADE,
    sm_hash  BLOB UNIQUE,
    resource TEXT NOT NULL,
    device   TEXT,
    h        INTEGER NOT NULL,
    out      INTEGER NOT NULL,
    mark     INTEGER NOT NULL,
    state    BLOB,
    expires  INTEGER NOT NULL
) STRICT;
CREATE INDEX session_log ON session (log);

-- What is owed to another domain or home. The body is the sender's entry.
CREATE TABLE outbox (
    domain  TEXT NOT NULL,
    pos     INTEGER NOT NULL,
    log     INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (domain, pos)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    log       INTEGER NOT NULL REFERENCES log (id) ON DELETE CASCADE,
    peer      TEXT NOT NULL,
    upto      INTEGER NOT NULL,
    unread    INTEGER NOT NULL,
    displayed INTEGER NOT NULL,
    PRIMARY KEY (log, peer)
) STRICT, WITHOUT ROWID;

-- The fence: each batch begins with its update.
CREATE TABLE writer (
    node  INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,                     -- raised by each process that opens the store
    batch INTEGER NOT NULL,                     -- the last batch committed
    pos   INTEGER NOT NULL                      -- the last position given
) STRICT;

CREATE TABLE server (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
