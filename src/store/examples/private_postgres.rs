//! Starts a PostgreSQL of one's own, prints the URL of an empty database in it, and ends it when
//! the standard input is closed.
//!
//! `cargo run -p waxwing-store --features private-postgres --example private_postgres [--unsafe]`
//! (`--unsafe`: without syncing to the disk)

use std::io::{Read, Result, stdin};
use store::private_postgres::PrivatePostgres;

fn main() -> Result<()> {
    let durable = !std::env::args().any(|argument| argument == "--unsafe");
    let server = PrivatePostgres::start(durable)?;
    println!("{}", server.database("waxwing", None)?);
    stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
