//! Who may depend on whom, read from the manifests.

use crate::{Breach, hold, source::Repository};

/// A manifest, which of ours it may depend on, and what of others it may not.
const ARROWS: [(&str, &[&str], &[&str]); 8] = [
    ("Cargo.toml", &["net", "store", "cluster", "xeps", "engine", "wire"], &[]),
    ("src/wire/Cargo.toml", &[], INSIDE),
    ("src/engine/Cargo.toml", &["wire"], INSIDE),
    ("xeps/Cargo.toml", &["engine", "wire"], INSIDE),
    ("src/net/Cargo.toml", &["engine", "wire"], &["anyhow", "sqlx"]),
    ("src/store/Cargo.toml", &["engine", "wire"], &["anyhow", "rustls"]),
    ("src/cluster/Cargo.toml", &["engine", "wire"], &["anyhow", "sqlx"]),
    ("conformance/Cargo.toml", &["xeps", "engine", "wire", "store"], &["anyhow", "tokio", "sqlx"]),
];
const INSIDE: &[&str] = &[
    "tokio",
    "rustls",
    "sqlx",
    "rand",
    "getrandom",
    "anyhow",
    "mio",
    "async-std",
    "smol",
    "socket2",
];

#[test]
fn arrows_point_inwards() {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for (path, allowed, banned) in ARROWS {
        for (line, name) in dependencies(repository.text(path)) {
            let ours = name.strip_prefix("waxwing-");
            let outwards = ours.is_some_and(|ours| !allowed.contains(&ours));
            if outwards || banned.contains(&name.as_str()) {
                let why = format!("depends on {name}; turn the arrow round with a trait in port/");
                breaches.push(Breach::new(path, line, why));
            }
        }
    }
    hold(breaches);
}

/// What stands under `[dependencies]`, by package name.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut section = "";
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim();
        }
        let table = section.strip_prefix("[dependencies.").and_then(|rest| rest.strip_suffix(']'));
        let name = match (section, line.split_once('=')) {
            ("[dependencies]", Some((name, _))) => Some(name.trim().trim_end_matches(".workspace")),
            _ if line.starts_with('[') => table,
            _ => None,
        };
        let package = line.split_once("package = \"").and_then(|(_, rest)| rest.split_once('"'));
        let name = package.map(|(package, _)| package).filter(|_| name.is_some()).or(name);
        found.extend(name.map(|name| (index + 1, name.to_owned())));
    }
    found
}

#[test]
fn a_dependency_is_found_by_its_package() {
    let manifest = "[dependencies]\nbytes = \"1\"\n\
        engine = { path = \"x\", package = \"waxwing-engine\" }\n\
        [dependencies.tokio]\nversion = \"1\"\n[dev-dependencies]\nsqlx = \"1\"\n";
    let names: Vec<_> = dependencies(manifest).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["bytes", "waxwing-engine", "tokio"]);
}
