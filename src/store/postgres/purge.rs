//! Whole partitions where all of it is too old; all else in pieces, on the readers' connections:
//! what is removed is in nobody's way there.

use super::{
    Postgres, fault, partition,
    read::{get, query},
};
use crate::purge::{Numbers, Sweeps};
use deadpool_postgres::tokio_postgres::{Row, types::ToSql};
use engine::{port::Fault, unit::Pos};

impl Sweeps for Postgres {
    async fn read(&self, sql: &'static str, values: &[i64]) -> Result<Vec<Numbers>, Fault> {
        let rows = query(&self.reader().await?, sql, &all(values)).await?;
        rows.iter().map(numbers).collect()
    }

    async fn write(&self, sql: &'static str, values: &[i64]) -> Result<u64, Fault> {
        let client = self.reader().await?;
        let statement = client.prepare_cached(sql).await.map_err(fault)?;
        client.execute(&statement, &all(values)).await.map_err(fault)
    }
}

fn numbers(row: &Row) -> Result<Numbers, Fault> {
    (0..row.len()).map(|column| get(row, column)).collect()
}

fn all(values: &[i64]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Postgres {
    /// Drops the partitions that end before this place; never one that may be written to. Who has
    /// to wait for a lock keeps others waiting: what is in use stays until the next time.
    pub(super) async fn drop_partitions(&self, before: Pos, last: Pos) -> Result<(), Fault> {
        const SQL: &str = "
            SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent IN ('entry'::regclass, 'words'::regclass)";
        let client = self.reader().await?;
        for row in query(&client, SQL, &[]).await? {
            let name: String = get(&row, 0)?;
            if partition::ends_before(&name, before.min(last)) {
                let drop =
                    format!("BEGIN; SET LOCAL lock_timeout = '200ms'; DROP TABLE {name}; COMMIT");
                if client.batch_execute(&drop).await.is_err() {
                    client.batch_execute("ROLLBACK").await.map_err(fault)?;
                }
            }
        }
        Ok(())
    }
}
