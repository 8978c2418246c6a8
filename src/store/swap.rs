//! A cell that is changed only if it is what it was thought to be, in words that both databases
//! understand: $1 is whose log, $2 the table and $3 the key, then what it was and what it becomes.

/// Finds the cell where none is to be and none becomes; else touches it, if it is as it was.
pub fn sql(old: Option<&[u8]>, new: Option<&[u8]>) -> &'static str {
    match (old, new) {
        (None, None) => {
            "
            SELECT 1 FROM cell
            WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3"
        }
        (None, Some(_)) => {
            "
            INSERT INTO cell (log, name, key, value)
            SELECT id, $2, $3, $4 FROM log WHERE jid = $1
            ON CONFLICT (log, name, key) DO NOTHING"
        }
        (Some(_), None) => {
            "
            DELETE FROM cell
            WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3
                AND value = $4"
        }
        (Some(_), Some(_)) => {
            "
            UPDATE cell SET value = $5
            WHERE log = (SELECT id FROM log WHERE jid = $1) AND name = $2 AND key = $3
                AND value = $4"
        }
    }
}
