//! The index of the words of archives: rows of `words`, which GIN finds by their tokens.

use super::{
    Postgres,
    line::Line,
    partition,
    pipeline::{self, Step, Value},
    read::{get, query},
};
use crate::{
    index::{IndexedRow, Indexes, PIECE_ENTRIES, Piece, Taken, Touched},
    search::Stretch,
};
use deadpool_postgres::{Object, tokio_postgres::Row};
use engine::{port::Fault, unit::Pos, wire::Bare};

impl Indexes for Postgres {
    async fn touched(&self) -> Result<(Pos, Touched), Fault> {
        self.writing.lock().await.touched().await
    }

    async fn behind(&self, logs: &[&Bare], upto: Pos) -> Result<Vec<(i64, i64)>, Fault> {
        const SQL: &str = "
            SELECT id, indexed FROM log
            WHERE jid = ANY ($1)
                AND (SELECT MAX(pos) FROM entry WHERE entry.log = log.id AND pos > $2) > indexed
            ORDER BY id";
        let logs: Vec<_> = logs.iter().map(|log| log.as_str()).collect();
        let rows = query(&self.reader().await?, SQL, &[&logs, &upto.0]).await?;
        rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
    }

    async fn take(&self, behind: &[(i64, i64)]) -> Result<Taken, Fault> {
        self.writing.lock().await.index(behind).await
    }
}

/// Reads and writes on the connection of the writer, while nothing is purged: nothing is removed
/// from a log in between.
pub(super) async fn take(line: &Line, behind: &[(i64, i64)]) -> Result<Taken, Fault> {
    let rows = read(line, behind).await?;
    let (mut piece, mut taken) = (Piece::default(), Taken::default());
    rows.iter().for_each(|row| piece.take(row));
    for &(log, _) in behind {
        taken.add(log, rows.iter().filter(|row| row.log == log).count());
    }
    partition::of_words(line, piece.words.iter().map(|(_, pos, _)| Pos(*pos))).await?;
    let begin = Step::new("BEGIN", Vec::new());
    let commit = Step::new("COMMIT", Vec::new());
    let steps = [begin, words(&piece), upto(&piece), commit];
    let outcome = pipeline::run(&line.client, &steps, &mut Vec::new()).await;
    if let Err(Fault::Refused(_)) = outcome {
        let undo = [Step::new("ROLLBACK", Vec::new())];
        pipeline::run(&line.client, &undo, &mut Vec::new()).await?;
    }
    outcome.map(|()| taken)
}

async fn read(line: &Line, behind: &[(i64, i64)]) -> Result<Vec<IndexedRow>, Fault> {
    const SQL: &str = "
        SELECT given.log, pos, flags, peer, stanza
        FROM UNNEST($1::int8[], $2::int8[]) AS given (log, after)
        CROSS JOIN LATERAL (
            SELECT pos, flags, peer, stanza FROM entry
            WHERE entry.log = given.log AND pos > given.after ORDER BY pos LIMIT $3
        ) AS mine
        ORDER BY given.log, pos LIMIT $3";
    let (logs, after): (Vec<i64>, Vec<i64>) = behind.iter().copied().unzip();
    let values: Vec<Value<'_>> =
        vec![Box::new(logs), Box::new(after), Box::new(PIECE_ENTRIES as i64)];
    let mut told = Vec::new();
    pipeline::run(&line.client, &[Step::new(SQL, values).asks()], &mut told).await?;
    told.iter().map(row).collect()
}

fn row(row: &Row) -> Result<IndexedRow, Fault> {
    Ok(IndexedRow {
        log: get(row, 0)?,
        pos: get(row, 1)?,
        flags: get(row, 2)?,
        peer: get(row, 3)?,
        stanza: get(row, 4)?,
    })
}

fn words(piece: &Piece) -> Step<'_> {
    const SQL: &str = "
        INSERT INTO words (log, pos, words)
        SELECT log, pos, array_to_tsvector(string_to_array(words, ' '))
        FROM UNNEST($1::int8[], $2::int8[], $3::text[]) AS given (log, pos, words)";
    let all = &piece.words;
    let values: Vec<Value<'_>> = vec![
        Box::new(all.iter().map(|(log, ..)| *log).collect::<Vec<_>>()),
        Box::new(all.iter().map(|(_, pos, _)| *pos).collect::<Vec<_>>()),
        Box::new(all.iter().map(|(.., words)| words.as_str()).collect::<Vec<_>>()),
    ];
    Step::new(SQL, values)
}

fn upto(piece: &Piece) -> Step<'_> {
    const SQL: &str = "
        UPDATE log SET indexed = given.upto
        FROM UNNEST($1::int8[], $2::int8[]) AS given (log, upto) WHERE log.id = given.log";
    let values: Vec<Value<'_>> = vec![
        Box::new(piece.upto.keys().copied().collect::<Vec<_>>()),
        Box::new(piece.upto.values().copied().collect::<Vec<_>>()),
    ];
    Step::new(SQL, values)
}

pub(super) async fn indexed(client: &Object, log: &Bare) -> Result<Option<(i64, Pos)>, Fault> {
    const SQL: &str = "SELECT id, indexed FROM log WHERE jid = $1";
    let rows = query(client, SQL, &[&log.as_str()]).await?;
    rows.first().map(|row| Ok((get(row, 0)?, Pos(get(row, 1)?)))).transpose()
}

/// All of them are found before the first is told, the log is named by the tokens alone, and the
/// places are compared as no index has them: else it could seem cheaper to walk through the whole
/// log, or all logs, until there are enough.
pub(super) fn proposed_sql(of: &Stretch<'_>) -> String {
    let order = if of.newest { "DESC" } else { "ASC" };
    format!(
        "WITH proposed AS MATERIALIZED (
            SELECT pos FROM words
            WHERE words @@ $1::text::tsquery AND pos + 0 > $2 AND pos + 0 <= $3
        )
        SELECT pos FROM proposed ORDER BY pos {order} LIMIT $4"
    )
}

pub(super) async fn proposed(
    client: &Object,
    of: &Stretch<'_>,
    asked: &str,
    max: usize,
) -> Result<Vec<Pos>, Fault> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let sql = proposed_sql(of);
    let rows = query(client, &sql, &[&asked, &of.after.0, &of.until.0, &max]).await?;
    rows.iter().map(|row| Ok(Pos(get(row, 0)?))).collect()
}
