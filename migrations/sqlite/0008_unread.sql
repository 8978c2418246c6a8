-- What is to be read (16), of the logs of rooms: counted without looking at what it says. No other
-- entry stands in it.
CREATE INDEX entry_speaks ON entry (log, pos, flags) WHERE (flags & 16) = 16;
