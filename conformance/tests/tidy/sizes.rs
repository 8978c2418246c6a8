//! How long files, functions and lines may be, and how deep blocks.

use crate::{
    Breach, hold, lines,
    source::{File, Line, Repository},
};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;
const NESTED_BLOCKS_MAX: usize = 4;
const LINE_COLUMNS_MAX: usize = 100;

#[test]
fn a_line_has_at_most_100_columns() {
    hold(lines(
        |_| true,
        |line| {
            let columns = line.text.chars().count();
            let url = line.text.contains("https://");
            (columns > LINE_COLUMNS_MAX && !url)
                .then(|| format!("{columns} columns; break it ({LINE_COLUMNS_MAX} at most)"))
        },
    ));
}

#[test]
fn a_file_has_at_most_400_lines_without_tests() {
    let repository = Repository::read();
    let long = repository.rust.iter().filter_map(|file| {
        let count = file.lines.iter().filter(|line| !line.is_test).count();
        (count > FILE_LINES_MAX).then(|| {
            let why = format!("{count} lines without tests; split it by what its parts are about");
            Breach::new(&file.path, 1, why)
        })
    });
    hold(long.collect());
}

#[test]
fn a_function_has_at_most_60_lines() {
    hold(functions(|lines| {
        (lines.len() > FUNCTION_LINES_MAX)
            .then(|| (0, format!("{} lines; give its parts names", lines.len())))
    }));
}

#[test]
fn blocks_are_nested_at_most_4_deep() {
    hold(functions(|lines| {
        let mut open: Vec<usize> = Vec::new();
        for (place, line) in lines.iter().enumerate().skip(1) {
            let code = line.code.trim();
            let indent = indent(line);
            if code.is_empty() {
                continue;
            }
            open.retain(|&outer| outer < indent);
            if branches(code) {
                open.push(indent);
            }
            if open.len() > NESTED_BLOCKS_MAX {
                let why =
                    format!("{} blocks deep; return early, or name the inner one", open.len());
                return Some((place, why));
            }
        }
        None
    }));
}

/// Whether a block of control flow opens here and stays open behind the line.
fn branches(code: &str) -> bool {
    const WORDS: [&str; 6] = ["if ", "else", "match ", "for ", "while ", "loop"];
    let closure = code.contains('|') && !code.contains("||");
    let word = WORDS.iter().any(|word| {
        code.split_inclusive([' ', '(', '{', '}'])
            .any(|token| token.trim_start_matches(['(', '}']).starts_with(word))
    });
    code.ends_with('{') && (word || closure)
}

/// Looks at every function outside tests: its lines, from `fn` to the closing brace.
fn functions(look: impl Fn(&[Line]) -> Option<(usize, String)>) -> Vec<Breach> {
    let repository = Repository::read();
    let mut breaches = Vec::new();
    for file in &repository.rust {
        for (start, end) in bounds(file) {
            let found = look(&file.lines[start..=end]);
            breaches.extend(found.map(|(place, why)| {
                Breach::new(&file.path, file.lines[start + place].number, why)
            }));
        }
    }
    breaches
}

fn bounds(file: &File) -> Vec<(usize, usize)> {
    let lines = &file.lines;
    let starts = (0..lines.len()).filter(|&at| !lines[at].is_test && is_function(&lines[at]));
    let ends = starts.filter_map(|start| {
        let closing = format!("{}}}", " ".repeat(indent(&lines[start])));
        let end = (start..lines.len()).find(|&at| {
            let code = lines[at].code.trim_end();
            code == closing
                || (at == start && code.ends_with(['}', ';']))
                // One of a trait, without a body.
                || (indent(&lines[at]) == indent(&lines[start])
                    && code.trim_start().starts_with(')')
                    && code.ends_with(';'))
        })?;
        Some((start, end))
    });
    ends.collect()
}

fn is_function(line: &Line) -> bool {
    let words: Vec<&str> = line.code.split_whitespace().collect();
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];
    let first = words.iter().find(|word| !modifiers.contains(word) && !word.starts_with("pub("));
    first == Some(&"fn")
}

fn indent(line: &Line) -> usize {
    line.code.len() - line.code.trim_start().len()
}
