//! From whom certificates are ordered (RFC 8555), in the words that CAA records have for it.

use super::{
    browser,
    caa::Acme,
    finding::Finding,
    records::Records,
    trust::Trust,
    web::{Ask, parts, why},
};
use net::acme::Acme as Chosen;

const WHAT: &str = "acme";
/// It knows itself by one name, whatever its directory's host is.
const LETS_ENCRYPT: &str = "letsencrypt.org";

/// What is known of the authority, and of our account there. Without `records` nobody is asked,
/// and only an authority whose name is known anyway has one.
pub async fn look(chosen: &Chosen, records: Option<&dyn Records>) -> (Option<Acme>, Vec<Finding>) {
    let account = chosen.account();
    let (authority, mut findings) = match authority(chosen, records).await {
        Ok(authority) => (authority, Vec::new()),
        Err(why) => {
            let found = format!("{}: {why}: nothing can be ordered there", chosen.directory);
            let mend = "see acme.directory and acme.root";
            (None, vec![Finding::warning(WHAT, found, mend)])
        }
    };
    let by = account.as_deref().map_or("there is no account yet".to_owned(), |account| {
        format!("the account is {account}")
    });
    let unnamed = match authority {
        None if records.is_some() && findings.is_empty() => "; it has no name for CAA records",
        _ => "",
    };
    let found = format!("certificates are ordered by {}; {by}{unnamed}", chosen.directory);
    findings.insert(0, Finding::ok(WHAT, found));
    let methods = chosen.challenges.iter().map(ToString::to_string).collect();
    (authority.map(|authority| Acme { authority, account, methods }), findings)
}

/// The name that it has in CAA records.
///
/// # Errors
/// Why it cannot be asked.
async fn authority(
    chosen: &Chosen,
    records: Option<&dyn Records>,
) -> Result<Option<String>, String> {
    let no_url = || "no address of https".to_owned();
    let (host, port, path) = parts(&chosen.directory).ok_or_else(no_url)?;
    if host == LETS_ENCRYPT || host.ends_with(&format!(".{LETS_ENCRYPT}")) {
        return Ok(Some(LETS_ENCRYPT.to_owned()));
    }
    let Some(records) = records else { return Ok(None) };
    let trust = match &chosen.root {
        Some(root) => Trust::only(root)?,
        None => Trust::system(),
    };
    let address = browser::address(records, &host, port).await;
    let address = address.ok_or_else(|| format!("{host} has no address"))?;
    let ask = Ask { address, host: &host, path: &path, as_balancer: false };
    let page = ask.get(&trust).await.map_err(|failure| why(&failure))?;
    if !page.status.is_success() {
        return Err(page.status.to_string());
    }
    named(&page.body)
}

/// The first of the names that a directory has (RFC 8555 §7.1.1).
fn named(directory: &str) -> Result<Option<String>, String> {
    let wrong = |_| "no directory of ACME".to_owned();
    let directory: serde_json::Value = serde_json::from_str(directory).map_err(wrong)?;
    let name = directory.pointer("/meta/caaIdentities/0").and_then(serde_json::Value::as_str);
    Ok(name.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_names_itself_or_not_rfc8555_7_1_1() {
        let some = r#"{"newOrder": "x", "meta": {"caaIdentities": ["ca.example", "b.example"]}}"#;
        assert_eq!(named(some), Ok(Some("ca.example".to_owned())));
        assert_eq!(named(r#"{"newOrder": "x"}"#), Ok(None));
        assert!(named("<html>").is_err());
    }
}
