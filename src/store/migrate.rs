//! Migrations: forward only, and never on a database of a newer program.

use crate::check::refused;
use engine::port::Fault;
use sqlx::migrate::{MigrateError, Migrator};

/// Those of SQLite.
pub(crate) static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");
/// Those of PostgreSQL.
pub(crate) static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Looks at the migrations that a database has before anything else is done to it.
///
/// # Errors
/// `Refused` when this program does not know one of them.
pub(crate) fn knows(migrator: &Migrator, applied: &[i64]) -> Result<(), Fault> {
    match applied.iter().find(|&&version| !migrator.version_exists(version)) {
        Some(&version) => Err(newer(version)),
        None => Ok(()),
    }
}

fn newer(version: i64) -> Fault {
    refused(format!(
        "the database is of a newer version than this program, which does not know its migration \
         {version}; it was not touched"
    ))
}

/// What a failed migration means to the operator.
pub(crate) fn failed(error: MigrateError) -> Fault {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            newer(version)
        }
        MigrateError::VersionMismatch(version) => refused(format!(
            "migration {version} of the database is not the one that this program knows"
        )),
        other => refused(format!("the database could not be migrated: {other}")),
    }
}

/// A program that knows only the first migrations.
#[cfg(test)]
pub(crate) fn first(migrator: &Migrator, versions: i64) -> Migrator {
    let first = migrator.iter().filter(|one| one.version <= versions).cloned().collect();
    Migrator { migrations: first, ..Migrator::DEFAULT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_have_the_same_migrations() {
        let list = |migrator: &Migrator| -> Vec<_> {
            migrator.iter().map(|one| (one.version, one.description.clone())).collect()
        };
        assert_eq!(list(&SQLITE), list(&POSTGRES));
        assert!(SQLITE.iter().all(|one| !one.no_tx), "each runs in one transaction");
    }

    #[test]
    fn a_migration_that_is_not_known_is_of_a_newer_program() {
        assert_eq!(knows(&SQLITE, &[1]), Ok(()));
        let Err(Fault::Refused(why)) = knows(&SQLITE, &[1, 9_999]) else { panic!("known") };
        assert!(why.starts_with("the database is of a newer version"), "{why}");
    }
}
