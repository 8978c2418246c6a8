//! What is told to people about the XEPs, derived from their constants.

use engine::hook::{Status, Xep};

const DOAP_HEAD: &str = "\
<?xml version='1.0' encoding='UTF-8'?>
<rdf:RDF xmlns='http://usefulinc.com/ns/doap#'
         xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project>
    <name>Waxwing</name>
    <shortdesc xml:lang='en'>An XMPP server: acknowledged means durable</shortdesc>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-server'/>
    <programming-language>Rust</programming-language>
    <implements rdf:resource='https://www.rfc-editor.org/info/rfc6120'/>
    <implements rdf:resource='https://www.rfc-editor.org/info/rfc6121'/>
    <implements rdf:resource='https://www.rfc-editor.org/info/rfc7395'/>
    <implements rdf:resource='https://www.rfc-editor.org/info/rfc7622'/>
";
const DOAP_TAIL: &str = "  </Project>\n</rdf:RDF>\n";

/// The README's table.
pub fn readme_table() -> String {
    let head = "| XEP | Name | Version | Status |\n| --- | --- | --- | --- |\n".to_owned();
    crate::ALL.iter().fold(head, |table, xep| {
        let Xep { number, name, version, .. } = xep;
        let status = match xep.status {
            Status::Complete => "complete".to_owned(),
            Status::Partial(what) => format!("partial: {what}"),
        };
        let url = format!("https://xmpp.org/extensions/xep-{number:04}.html");
        table + &format!("| [{number:04}]({url}) | {name} | {version} | {status} |\n")
    })
}

/// The project's description for xmpp.org (XEP-0453).
pub fn doap() -> String {
    let xeps = crate::ALL.iter().map(|xep| supported(xep));
    DOAP_HEAD.to_owned() + &xeps.collect::<String>() + DOAP_TAIL
}

fn supported(Xep { number, version, status, .. }: &Xep) -> String {
    let (status, note) = match status {
        Status::Complete => ("complete", String::new()),
        Status::Partial(what) => {
            let what = what.replace('&', "&amp;").replace('<', "&lt;");
            ("partial", format!("        <xmpp:note xml:lang='en'>{what}</xmpp:note>\n"))
        }
    };
    let url = format!("https://xmpp.org/extensions/xep-{number:04}.html");
    format!(
        "    <implements>
      <xmpp:SupportedXep>
        <xmpp:xep rdf:resource='{url}'/>
        <xmpp:version>{version}</xmpp:version>
        <xmpp:status>{status}</xmpp:status>
{note}      </xmpp:SupportedXep>
    </implements>
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{hooks::Hooks, life};
    use std::{env, fs, path::PathBuf};

    fn at_root(path: &str) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "..", path].iter().collect()
    }

    /// With `BLESS=1` in the environment the file is written instead.
    fn holds(path: &str, is: &str, should: &str) {
        if env::var_os("BLESS").is_some() {
            fs::write(at_root(path), should).unwrap();
        } else {
            assert_eq!(is, should, "{path} is stale: BLESS=1 cargo test -p waxwing-xeps");
        }
    }

    #[test]
    fn the_list_is_in_the_order_of_numbers_each_once() {
        let numbers = crate::ALL.iter().map(|xep| xep.number);
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn docs_waxwing_doap_says_what_the_constants_say() {
        let is = fs::read_to_string(at_root("docs/waxwing.doap")).unwrap_or_default();
        holds("docs/waxwing.doap", &is, &doap());
    }
    #[test]
    fn the_readme_shows_the_table_between_its_markers() {
        let is = fs::read_to_string(at_root("README.md")).unwrap();
        let (before, rest) = is.split_once("<!-- xeps -->\n").unwrap();
        let (_, after) = rest.split_once("<!-- /xeps -->\n").unwrap();
        let table = readme_table();
        let should = format!("{before}<!-- xeps -->\n{table}<!-- /xeps -->\n{after}");
        holds("README.md", &is, &should);
    }

    #[test]
    fn docs_life_shows_who_stands_where() {
        let is = fs::read_to_string(at_root("docs/life.txt")).unwrap_or_default();
        holds("docs/life.txt", &is, &life::table(&Hooks::of(crate::ALL)));
    }
}
