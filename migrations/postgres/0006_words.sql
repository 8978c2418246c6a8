-- The words of a log are in the index up to here.
ALTER TABLE log ADD COLUMN indexed int8 NOT NULL DEFAULT 0;

-- What an archive shows and has words: their keys, and that of the peer, each with the log's number
-- before it. Tokens of our own making, so that no parser has an opinion. Partitions are as those of
-- `entry`: `words_<pos / 2^52>`.
CREATE TABLE words (
    log   int8 NOT NULL,
    pos   int8 NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (log, pos)
) PARTITION BY RANGE (pos);
-- Each search would walk through what waits to be sorted in, and the planner fears that.
CREATE INDEX words_words ON words USING gin (words) WITH (fastupdate = off);

-- What goes from a log goes from its index, whoever removes it.
CREATE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM words WHERE log = OLD.log AND pos = OLD.pos;
    RETURN NULL;
END
$$;
CREATE TRIGGER entry_removed AFTER DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION forget_words();
CREATE TRIGGER entry_redacted AFTER UPDATE OF stanza ON entry
    FOR EACH ROW EXECUTE FUNCTION forget_words();
