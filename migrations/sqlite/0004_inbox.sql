-- What has been gathered of an account's log, up to here, is in its conversations.
ALTER TABLE log ADD COLUMN inbox INTEGER NOT NULL DEFAULT 0;
-- The newest entry of a conversation that says something; `upto` is the newest that is shown.
ALTER TABLE conversation ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
