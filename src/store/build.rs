//! A new migration is a new binary: Cargo does not watch folders that a macro reads.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
