-- Whether nobody may log in to the account until it is enabled again.
ALTER TABLE account ADD COLUMN disabled bool NOT NULL DEFAULT FALSE;
CREATE INDEX account_disabled ON account (domain, local) WHERE disabled;
