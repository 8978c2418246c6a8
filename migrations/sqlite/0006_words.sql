-- The words of a log are in the index up to here.
ALTER TABLE log ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;

-- What an archive shows and has words: their keys, and that of the peer, each with the log's number
-- before it. Tokens of our own making, so that no tokenizer has an opinion.
CREATE TABLE words (
    id    INTEGER PRIMARY KEY,                  -- within a log it rises with pos
    log   INTEGER NOT NULL,
    pos   INTEGER NOT NULL,
    words TEXT NOT NULL,
    UNIQUE (log, pos)
) STRICT;

CREATE VIRTUAL TABLE words_index USING fts5 (
    words, content = 'words', content_rowid = 'id', detail = 'none', columnsize = 0,
    tokenize = 'ascii'
);
-- What is removed does not stay until segments are merged.
INSERT INTO words_index (words_index, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER words_added AFTER INSERT ON words BEGIN
    INSERT INTO words_index (rowid, words) VALUES (new.id, new.words);
END;
CREATE TRIGGER words_removed AFTER DELETE ON words BEGIN
    INSERT INTO words_index (words_index, rowid, words) VALUES ('delete', old.id, old.words);
END;

-- What goes from a log goes from its index, whoever removes it.
CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
    DELETE FROM words WHERE log = old.log AND pos = old.pos;
END;
CREATE TRIGGER entry_redacted AFTER UPDATE OF stanza ON entry BEGIN
    DELETE FROM words WHERE log = old.log AND pos = old.pos;
END;
