-- When the password was set, in unix ms; 0: before this was kept.
ALTER TABLE account ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
-- The Argon2id verifier (RFC 9106) in the PHC string format, where one is kept.
ALTER TABLE account ADD COLUMN argon2id TEXT;
