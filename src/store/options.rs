//! What the caller chooses, and where the store is.

use crate::{Memory, Postgres, Sqlite, check::refused};
use engine::{
    port::{Fault, Node, Store},
    unit::Table,
};
use std::sync::Arc;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who writes: the row of the fence.
    pub node: Node,
    /// The tables whose cells come with a loaded account.
    pub at_hand: Vec<Table>,
    /// Whether to do with less than durable commits: SQLite then writes with
    /// `synchronous = NORMAL`, PostgreSQL may run with `fsync` or `synchronous_commit` off.
    pub relaxed: bool,
    /// Connections for reading.
    pub readers_max: u32,
    /// How long PostgreSQL may take to commit or to connect before it counts as away.
    pub answer_ms_max: u64,
    /// How long to wait for a process that still holds the database, PostgreSQL only: its
    /// connection may outlive it for a moment.
    pub handover_ms_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            node: Node(1),
            at_hand: Vec::new(),
            relaxed: false,
            readers_max: 4,
            answer_ms_max: 10_000,
            handover_ms_max: 5_000,
        }
    }
}

/// Opens the store at `url`: `sqlite:PATH`, `postgres://…` or `memory:`. Migrates it and takes
/// the fence.
///
/// # Errors
/// `Refused`, in words for the operator, when it cannot be used; `Away` when it cannot be reached.
pub async fn open(url: &str, options: &Options) -> Result<Arc<dyn Store>, Fault> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| unknown(url))?;
    match scheme {
        "memory" if rest.is_empty() => Ok(Arc::new(Memory::new(&options.at_hand))),
        "sqlite" => Ok(Arc::new(Sqlite::open(rest, options).await?)),
        "postgres" | "postgresql" => Ok(Arc::new(Postgres::open(url, options).await?)),
        _ => Err(unknown(url)),
    }
}

/// Names only the scheme: the rest may hold a password.
fn unknown(url: &str) -> Fault {
    let scheme = url.split(':').next().unwrap_or("");
    refused(format!("unknown store {scheme:?}: sqlite:PATH, postgres://… or memory:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_scheme_chooses_the_store() {
        let store = open("memory:", &Options::default()).await.unwrap();
        assert_eq!(store.last().await.unwrap().0, 0);
        for url in ["mysql://me:secret@host/db", "data/waxwing.db", "memory:x", ""] {
            let Err(Fault::Refused(why)) = open(url, &Options::default()).await else {
                panic!("{url} opened");
            };
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
