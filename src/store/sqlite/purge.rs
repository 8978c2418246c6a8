//! Reads beside the writer; each piece that is removed waits for its turn to write.

use super::{Sqlite, fault};
use crate::purge::{Numbers, Sweeps};
use engine::port::Fault;
use sqlx::Row;

impl Sweeps for Sqlite {
    async fn read(&self, sql: &'static str, values: &[i64]) -> Result<Vec<Numbers>, Fault> {
        let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
        let rows = query.fetch_all(&self.readers).await.map_err(fault)?;
        let numbers = |row| numbers(row).map_err(fault);
        rows.iter().map(numbers).collect()
    }

    async fn write(&self, sql: &'static str, values: &[i64]) -> Result<u64, Fault> {
        self.writing.lock().await.sweep(sql, values).await
    }
}

fn numbers(row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Numbers> {
    (0..row.len()).map(|column| row.try_get(column)).collect()
}
