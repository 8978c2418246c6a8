//! `${…}` in the blocks of a script.

use crate::tree::escaped;

/// What stands for `${name}`: `name` to its meaning.
pub type Meaning<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A block with all `${…}` filled in, escaped for XML.
///
/// # Errors
/// The name that means nothing.
pub fn fill(block: &str, meaning: Meaning<'_>) -> Result<String, String> {
    let bytes = walk(block, &|name| Some(escaped(&meaning(name)?).into_bytes()))?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// A block as bytes: nothing is escaped, `${bytes ff fe}` and `${repeat 3 abc}` say themselves.
///
/// # Errors
/// The name that means nothing.
pub fn fill_raw(block: &str, meaning: Meaning<'_>) -> Result<Vec<u8>, String> {
    walk(block, &|name| match name.split_once(' ') {
        Some(("bytes", digits)) => {
            digits.split(' ').map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
        }
        Some(("repeat", rest)) => {
            let (times, text) = rest.split_once(' ')?;
            Some(text.repeat(times.parse().ok()?).into_bytes())
        }
        _ => meaning(name).map(String::into_bytes),
    })
}

fn walk(block: &str, meaning: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut filled = Vec::with_capacity(block.len());
    let mut rest = block;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or("'${' without '}'")?;
        filled.extend_from_slice(before.as_bytes());
        filled.extend(meaning(name).ok_or_else(|| format!("nothing is called ${{{name}}}"))?);
        rest = after;
    }
    filled.extend_from_slice(rest.as_bytes());
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_escaped() {
        let meaning = |name: &str| (name == "x").then(|| "a'b".to_owned());
        assert_eq!(fill("<${x}>", &meaning).unwrap(), "<a&apos;b>");
        assert_eq!(
            fill_raw("${x}${bytes ff 00}${repeat 2 yz}", &meaning).unwrap(),
            b"a'b\xff\0yzyz"
        );
        assert!(fill("${y}", &meaning).is_err());
        assert!(fill("${x", &meaning).is_err());
        assert!(fill_raw("${bytes fg}", &meaning).is_err());
    }
}
