//! A script as it is played elsewhere.

use super::{ADMIN, Character, Misspelt, Script};

/// The script as it is played elsewhere: `suffix` is put behind the local part of every account
/// of the cast but the administrator's, and `domain` in the place of `localhost`. So many scripts
/// share one server.
///
/// # Errors
/// As [`Script::parse`].
pub fn moved(source: &str, suffix: &str, domain: &str) -> Result<String, Misspelt> {
    let script = Script::parse(source)?;
    let others = script.characters.iter().filter(|character| character.local() != ADMIN);
    let mut accounts: Vec<&str> = others.map(Character::bare).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut text = source.to_owned();
    for account in accounts.into_iter().filter(|account| account.contains('@')) {
        let at = account.find('@').unwrap_or(0);
        text =
            replaced(&text, account, |found| format!("{}{suffix}{}", &found[..at], &found[at..]));
    }
    Ok(replaced(&text, "localhost", |_| domain.to_owned()))
}

/// Replaces a word, in whatever letters, where no letter, digit, dot or dash precedes or follows.
fn replaced(text: &str, word: &str, by: impl Fn(&str) -> String) -> String {
    let edge = |symbol: Option<char>| {
        !symbol.is_some_and(|symbol| symbol.is_alphanumeric() || "-_".contains(symbol))
    };
    let lower = text.to_ascii_lowercase();
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in lower.match_indices(&word.to_ascii_lowercase()) {
        let end = at + word.len();
        if edge(text[..at].chars().next_back()) && edge(text[end..].chars().next()) {
            made.push_str(&text[done..at]);
            made.push_str(&by(&text[at..end]));
            done = end;
        }
    }
    made.push_str(&text[done..]);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "# Title\n\n[Client] Juliet's phone\n\tjid: juliet@localhost/phone\n\n\
        -----\n\nJuliet's phone sends:\n\t<message to='juliet@localhost'/>\n";

    #[test]
    fn a_moved_script_keeps_its_meaning() {
        let text = moved(SCRIPT, ".7", "example.org").unwrap();
        assert!(text.contains("jid: juliet.7@example.org/phone"));
        assert!(text.contains("to='juliet.7@example.org'"));
        let text = moved(&SCRIPT.replace("juliet@", "admin@"), ".7", "example.org").unwrap();
        assert!(text.contains("to='admin@example.org'"));
        assert!(Script::parse(&text).unwrap().has_admin());
        assert_eq!(replaced("a@b xa@b A@B a@b.c", "a@b", |_| "!".into()), "! xa@b ! !.c");
    }
}
