//! Words that may not stand where they stand.

use crate::{
    Breach, hold, lines,
    source::{Line, Repository},
};

#[test]
fn nothing_unwraps_outside_tests() {
    hold(lines(
        |_| true,
        |line| {
            let found = !line.is_test && line.code.contains(".unwrap()");
            found.then(|| "unwrap(); handle it, or expect(\"why it cannot happen\")".into())
        },
    ));
}

#[test]
fn nothing_is_left_for_later() {
    hold(lines(
        |_| true,
        |line| {
            let comment = ["TODO", "FIXME", "XXX", "HACK"].into_iter().find(|mark| {
                line.comment
                    .split(|symbol: char| !symbol.is_alphanumeric())
                    .any(|word| word == *mark)
            });
            let code = ["dbg!", "todo!", "unimplemented!", "#[ignore", "allow(dead_code"]
                .into_iter()
                .find(|mark| line.code.contains(mark));
            comment.or(code).map(|mark| format!("{mark}; do it now, or leave it out"))
        },
    ));
}

#[test]
fn no_code_is_commented_out() {
    hold(lines(
        |_| true,
        |line| {
            let plain = line.comment.strip_prefix("// ").unwrap_or("").trim();
            let code = plain.ends_with(';') && (plain.contains('(') || plain.starts_with("let "));
            code.then(|| "code in a comment; git remembers it".into())
        },
    ));
}

/// Comments may cite XEPs; the namespaces of RFC 6121 §2.6.1 and §3.4 are the engine's own.
#[test]
fn the_engine_names_no_xep() {
    hold(lines(
        |path| path.starts_with("src/engine/"),
        |line| {
            let named = [&line.code, &line.strings]
                .iter()
                .map(|text| text.replace("urn:xmpp:features:", ""))
                .any(|text| text.contains("xep_") || text.contains("urn:xmpp:"));
            (named && !line.is_test)
                .then(|| "the engine names a XEP; let the XEP hang a hook here".into())
        },
    ));
}

#[test]
fn the_rings_inside_know_no_clock_no_socket_and_no_runtime() {
    let inside =
        |path: &str| path.starts_with("src/engine/") || path.starts_with("xeps/") || is_wire(path);
    hold(lines(inside, |line| {
        const BANNED: [&str; 10] = [
            "tokio",
            "sqlx",
            "rustls",
            "Instant::now",
            "SystemTime::now",
            "TcpStream",
            "UdpSocket",
            "std::fs",
            "thread::sleep",
            "Utc::now",
        ];
        let found = BANNED.into_iter().find(|word| !line.is_test && has_word(line, word));
        found.map(|word| format!("{word}; be told it from outside (see ctx.rs and port/)"))
    }));
}

fn is_wire(path: &str) -> bool {
    path.starts_with("src/wire/") && !path.starts_with("src/wire/fuzz/")
}

fn has_word(line: &Line, word: &str) -> bool {
    let edge = |symbol: Option<char>| {
        !symbol.is_some_and(|symbol| symbol.is_alphanumeric() || symbol == '_')
    };
    line.code.match_indices(word).any(|(at, _)| {
        edge(line.code[..at].chars().next_back())
            && edge(line.code[at + word.len()..].chars().next())
    })
}

/// A clone of this repository stands alone.
#[test]
fn nothing_outside_the_repository_is_named() {
    let outside = [concat!("..", "/shared"), concat!("/wo", "rk/")];
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for (path, text) in &repository.texts {
        for (index, line) in text.lines().enumerate() {
            let named = outside.into_iter().find(|place| line.contains(place));
            breaches.extend(named.map(|place| {
                let why = format!("{place} is outside the repository; say it in words of its own");
                Breach::new(path, index + 1, why)
            }));
        }
    }
    hold(breaches);
}
