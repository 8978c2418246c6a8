-- Logs that were removed while they had many entries, which go piece by piece.
CREATE TABLE erase (
    log INTEGER PRIMARY KEY
) STRICT;
-- What is delivered, then dropped: transit (8) that the archive (4) does not show.
CREATE INDEX entry_transit ON entry (log, pos) WHERE (flags & 12) = 8;
