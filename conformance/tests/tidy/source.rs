//! The files of the repository, and what of each line is code, comment and string.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// Folders that are nobody's source.
const SKIPPED: [&str; 3] = ["target", "node_modules", "corpus"];

/// Everything that is kept in the repository.
pub struct Repository {
    /// Rust files.
    pub rust: Vec<File>,
    /// All text files, Rust too: path and content.
    pub texts: Vec<(String, String)>,
}

/// One Rust file.
pub struct File {
    /// From the root of the repository.
    pub path: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line, taken apart.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Counted from one.
    pub number: usize,
    /// As it stands.
    pub text: String,
    /// Without comments, strings emptied.
    pub code: String,
    /// The content of its strings.
    pub strings: String,
    /// Its comments.
    pub comment: String,
    /// Compiled for tests only.
    pub is_test: bool,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Repository {
    /// Read once.
    pub fn read() -> &'static Self {
        static REPOSITORY: OnceLock<Repository> = OnceLock::new();
        REPOSITORY.get_or_init(Self::walk_all)
    }

    fn walk_all() -> Self {
        let mut repository = Self { rust: Vec::new(), texts: Vec::new() };
        repository.walk(&root(), "");
        repository.mark_test_files();
        assert!(repository.rust.len() > 50, "the repository has not been found");
        repository
    }

    /// The content of a file.
    pub fn text(&self, path: &str) -> &str {
        let found = self.texts.iter().find(|(at, _)| at == path);
        &found.unwrap_or_else(|| panic!("{path} is missing")).1
    }

    fn walk(&mut self, folder: &Path, path: &str) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            let path = format!("{path}{name}");
            let hidden = name.starts_with('.') && ![".cargo", ".ci", ".github"].contains(&&*name);
            if entry.is_symlink() || hidden || SKIPPED.contains(&name.as_str()) {
                continue;
            }
            if entry.is_dir() {
                self.walk(&entry, &format!("{path}/"));
            } else if let Ok(text) = fs::read_to_string(&entry) {
                if name.ends_with(".rs") {
                    self.rust.push(File { lines: take_apart(&text), path: path.clone() });
                }
                self.texts.push((path, text));
            }
        }
    }

    /// A module that is declared for tests only makes all of its files tests.
    fn mark_test_files(&mut self) {
        let mut modules = BTreeSet::new();
        for file in &self.rust {
            let folder = folder_of_modules(&file.path);
            let declared = file.lines.iter().filter(|line| line.is_test).filter_map(|line| {
                let name = line.code.trim().strip_suffix(';')?;
                Some(name.split_once("mod ")?.1.to_owned())
            });
            modules.extend(declared.map(|name| format!("{folder}{name}")));
        }
        for file in &mut self.rust {
            let stem = file.path.trim_end_matches(".rs");
            let declared = modules.iter().any(|module| {
                stem == module
                    || stem.strip_prefix(module).is_some_and(|rest| rest.starts_with('/'))
            });
            if declared
                || ["tests/", "benches/", "fuzz/"].iter().any(|folder| file.path.contains(folder))
            {
                file.lines.iter_mut().for_each(|line| line.is_test = true);
            }
        }
    }
}

/// Where the modules that a file declares are.
fn folder_of_modules(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "mod.rs" | "lib.rs" | "main.rs" => format!("{folder}/"),
        _ => format!("{}/", path.trim_end_matches(".rs")),
    }
}

/// Where a scan stands.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Code,
    Block(usize),
    Text,
    Raw(usize),
}

fn take_apart(text: &str) -> Vec<Line> {
    let mut at = At::Code;
    let mut lines: Vec<Line> = text
        .lines()
        .enumerate()
        .map(|(index, text)| {
            let mut line = Line { number: index + 1, text: text.to_owned(), ..Line::default() };
            at = scan(at, text, &mut line);
            line
        })
        .collect();
    mark_tests(&mut lines);
    lines
}

fn scan(mut at: At, text: &str, line: &mut Line) -> At {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        match at {
            At::Code => {
                (at, taken) = scan_code(rest, line);
            }
            At::Block(depth) if rest.starts_with("*/") => {
                at = if depth == 1 { At::Code } else { At::Block(depth - 1) };
                taken = 2;
            }
            At::Block(_) => line.comment.push(first),
            At::Text if first == '"' => {
                line.code.push('"');
                at = At::Code;
            }
            At::Text => {
                let escape = first == '\\' && rest.len() > 1;
                taken = if escape {
                    1 + rest[1..].chars().next().map_or(0, char::len_utf8)
                } else {
                    taken
                };
                line.strings.push_str(&rest[..taken]);
            }
            At::Raw(hashes) => {
                let end = format!("\"{}", "#".repeat(hashes));
                if rest.starts_with(&end) {
                    line.code.push('"');
                    at = At::Code;
                    taken = end.len();
                } else {
                    line.strings.push(first);
                }
            }
        }
        rest = &rest[taken..];
    }
    at
}

/// One step through code: where the scan stands behind it, and how many bytes it took.
fn scan_code(rest: &str, line: &mut Line) -> (At, usize) {
    let first = rest.chars().next().unwrap_or(' ');
    if rest.starts_with("//") {
        line.comment.push_str(rest);
        return (At::Code, rest.len());
    }
    if rest.starts_with("/*") {
        return (At::Block(1), 2);
    }
    let in_word = line.code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
    if !in_word {
        let prefix = ["br", "r"].into_iter().find(|prefix| rest.starts_with(prefix));
        let behind = prefix.map_or("", |prefix| &rest[prefix.len()..]);
        let hashes = behind.len() - behind.trim_start_matches('#').len();
        if prefix.is_some() && behind[hashes..].starts_with('"') {
            line.code.push('"');
            return (At::Raw(hashes), rest.len() - behind.len() + hashes + 1);
        }
    }
    line.code.push(first);
    match first {
        '"' => (At::Text, 1),
        '\'' => (At::Code, scan_quote(rest, line)),
        _ => (At::Code, first.len_utf8()),
    }
}

/// A character literal is a string; a lifetime is code.
fn scan_quote(rest: &str, line: &mut Line) -> usize {
    let mut inside = rest[1..].chars();
    let length = match inside.next() {
        Some('\\') => rest[3.min(rest.len())..].find('\'').map(|end| end + 3),
        Some(symbol) if inside.next() == Some('\'') => Some(1 + symbol.len_utf8()),
        _ => None,
    };
    let Some(end) = length else { return 1 };
    line.strings.push_str(&rest[1..end]);
    line.code.push('\'');
    end + 1
}

/// From `#[cfg(test)]` to the end of what it stands above, by rustfmt's indentation.
fn mark_tests(lines: &mut [Line]) {
    let mut until: Option<String> = None;
    let mut pending = false;
    for line in lines {
        let code = line.code.trim_end();
        let indent = " ".repeat(code.len() - code.trim_start().len());
        line.is_test = pending || until.is_some();
        if until.as_deref() == Some(code) {
            until = None;
        } else if until.is_none() && code.trim() == "#[cfg(test)]" {
            (pending, line.is_test) = (true, true);
        } else if pending && !code.trim().is_empty() && !code.trim().starts_with("#[") {
            pending = code.ends_with([',', '(']) && !code.ends_with("},");
            until = code.ends_with('{').then(|| format!("{indent}}}"));
        }
    }
}

#[test]
fn a_line_is_taken_apart() {
    let text = "let a = \"x // \\\" y\"; // b\n\
        /* c\nd */ let e = 'f'; let g: &'static str = r#\"h\"#;\n\
        #[cfg(test)]\nmod tests {\n    fn i() {}\n}\nfn j() {}\n";
    let lines = take_apart(text);
    assert_eq!(lines[0].code.trim(), "let a = \"\";");
    assert_eq!(lines[0].strings, "x // \\\" y");
    assert_eq!(lines[0].comment, "// b");
    assert_eq!(lines[1].comment, " c");
    assert_eq!(lines[2].code.trim(), "let e = ''; let g: &'static str = \"\";");
    assert_eq!(lines[2].strings, "fh");
    let tests: Vec<_> = lines.iter().map(|line| line.is_test).collect();
    assert_eq!(tests, [false, false, false, true, true, true, true, false]);
}
