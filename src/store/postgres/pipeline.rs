//! Statements sent one behind the other, without waiting for the answers in between.

use super::fault;
use deadpool_postgres::{
    ClientWrapper,
    tokio_postgres::{self, Row, Statement, types::ToSql},
};
use engine::port::Fault;
use futures_util::{
    TryStreamExt,
    future::{MaybeDone, maybe_done},
};
use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

/// Statements that are under way at once, at most.
const DEPTH_MAX: usize = 64;

/// A value of a statement.
pub(super) type Value<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// A statement, and how many rows it must touch.
pub(super) struct Step<'a> {
    sql: &'static str,
    values: Vec<Value<'a>>,
    rows: Option<(u64, Fault)>,
    asks: bool,
}

impl<'a> Step<'a> {
    pub(super) fn new(sql: &'static str, values: Vec<Value<'a>>) -> Self {
        Self { sql, values, rows: None, asks: false }
    }

    /// Another number of rows means `otherwise`.
    pub(super) fn touches(mut self, rows: usize, otherwise: Fault) -> Self {
        self.rows = Some((rows as u64, otherwise));
        self
    }

    /// Its rows are wanted.
    pub(super) fn asks(mut self) -> Self {
        self.asks = true;
        self
    }

    async fn send(&self, client: &ClientWrapper, statement: &Statement) -> Outcome {
        let values = self.values.iter().map(|value| &**value as &(dyn ToSql + Sync));
        if !self.asks {
            return Ok((client.execute_raw(statement, values).await?, Vec::new()));
        }
        let mut rows = pin!(client.query_raw(statement, values).await?);
        let mut told = Vec::new();
        while let Some(row) = rows.try_next().await? {
            told.push(row);
        }
        Ok((told.len() as u64, told))
    }
}

/// How many rows a statement touched, and those that were asked for.
type Outcome = Result<(u64, Vec<Row>), tokio_postgres::Error>;

/// Runs the statements in order. The first that fails is the answer; what is behind it may have
/// run all the same, so it is for a transaction that is then rolled back. `told` gets the rows
/// that were asked for before that.
pub(super) async fn run(
    client: &ClientWrapper,
    steps: &[Step<'_>],
    told: &mut Vec<Row>,
) -> Result<(), Fault> {
    for steps in steps.chunks(DEPTH_MAX) {
        let mut sent = Vec::with_capacity(steps.len());
        for step in steps {
            let statement = client.prepare_cached(step.sql).await.map_err(fault)?;
            sent.push(async move { step.send(client, &statement).await });
        }
        for (step, outcome) in steps.iter().zip(in_order(sent).await) {
            told.extend(judge(step, outcome)?);
        }
    }
    Ok(())
}

fn judge(step: &Step<'_>, outcome: Outcome) -> Result<Vec<Row>, Fault> {
    let (touched, told) = outcome.map_err(fault)?;
    match &step.rows {
        Some((rows, otherwise)) if *rows != touched => Err(otherwise.clone()),
        _ => Ok(told),
    }
}

/// Awaits all, polling them in order: what they send goes out in that order.
async fn in_order<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|context| {
        let mut done = true;
        for future in &mut futures {
            done &= future.as_mut().poll(context).is_ready();
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.iter_mut().filter_map(|future| future.as_mut().take_output()).collect()
}
