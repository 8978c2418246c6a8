//! What the operator chose about certificates.

use crate::settings_values::Values;
use anyhow::{Context, bail};
use engine::wire::Bare;
use net::{
    acme::{Acme, Challenge},
    certificates::{Pair, Sources},
};
use std::path::{Path, PathBuf};

/// What the operator chose about certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// A certificate and its key.
    pub pair: Option<Pair>,
    /// A folder with more of them.
    pub folder: Option<PathBuf>,
    /// From whom they are ordered.
    pub acme: Option<Acme>,
}

impl Certificates {
    /// Reads `[tls]` and `[acme]`.
    pub fn of(values: &mut Values, folder: &Path, data: &Path) -> anyhow::Result<Self> {
        let path = |text: String| folder.join(text);
        let pair = match (values.text("tls", "certificate"), values.text("tls", "key")) {
            (Some(certificate), Some(key)) => {
                Some(Pair { certificate: path(certificate), key: path(key) })
            }
            (None, None) => None,
            (Some(_), None) => bail!("tls.certificate needs tls.key beside it"),
            (None, Some(_)) => bail!("tls.key needs tls.certificate beside it"),
        };
        let acme = acme(values, folder, data)?;
        Ok(Self { pair, folder: values.text("tls", "folder").map(path), acme })
    }

    /// Where the certificates of these domains are.
    pub fn sources(&self, domains: &[Bare], data: &Path) -> Sources {
        let Self { pair, folder, acme } = self.clone();
        let domains = domains.iter().map(|domain| domain.domain().to_owned()).collect();
        Sources { domains, pair, folder, acme, data: data.to_owned() }
    }
}

fn acme(values: &mut Values, folder: &Path, data: &Path) -> anyhow::Result<Option<Acme>> {
    let directory = values.text("acme", "directory").unwrap_or_default();
    if !directory.starts_with("https://") {
        bail!("acme.directory must begin with https://, not be {directory:?}");
    }
    let domains = values.texts("acme", "domains");
    let domain = |text: &String| Bare::host(text).map(|host| host.domain().to_owned());
    let domains = domains.iter().map(domain).collect::<Result<_, _>>().context("acme.domains")?;
    let challenges = values.texts("acme", "challenges");
    let challenges: Vec<_> =
        challenges.iter().map(|it| challenge(it)).collect::<anyhow::Result<_>>()?;
    if challenges.is_empty() {
        bail!("acme.challenges must name at least one");
    }
    let acme = Acme {
        directory,
        contact: values.text("acme", "contact"),
        domains,
        challenges,
        root: values.text("acme", "root").map(|root| folder.join(root)),
        folder: data.join("acme"),
    };
    Ok((values.text("acme", "terms_agreed").as_deref() == Some("yes")).then_some(acme))
}

fn challenge(text: &str) -> anyhow::Result<Challenge> {
    let all = [Challenge::Http, Challenge::Tls];
    let named = all.into_iter().find(|it| it.to_string() == text);
    named.with_context(|| format!("acme.challenges: {text:?} is neither http-01 nor tls-alpn-01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Certificates> {
        let mut values = Values::read(text).expect("the table allows it");
        Certificates::of(&mut values, Path::new("/etc"), Path::new("/data"))
    }

    fn wrong(text: &str) -> String {
        format!("{:#}", read(text).expect_err("it is wrong"))
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let file = "[tls]\ncertificate = \"c\"\nkey = \"/k\"\nfolder = \"more\"";
        let chosen = read(file).expect("it is right");
        let pair = Pair { certificate: "/etc/c".into(), key: "/k".into() };
        assert_eq!(chosen.pair, Some(pair));
        assert_eq!(chosen.folder, Some("/etc/more".into()));
        assert!(wrong("[tls]\nkey = \"k\"").contains("needs tls.certificate"));
        assert!(wrong("[tls]\ncertificate = \"c\"").contains("needs tls.key"));
    }

    #[test]
    fn nothing_is_ordered_unless_the_terms_are_agreed_to() {
        assert_eq!(read("").expect("it is right").acme, None);
        let acme = read("[acme]\nterms_agreed = \"yes\"").expect("it is right").acme;
        let acme = acme.expect("they are");
        assert!(acme.directory.contains("letsencrypt.org") && acme.domains.is_empty());
        assert_eq!(acme.challenges, [Challenge::Http, Challenge::Tls]);
        assert_eq!(acme.folder, Path::new("/data/acme"));
    }

    #[test]
    fn what_cannot_be_ordered_is_named() {
        assert!(wrong("[acme]\ndirectory = \"http://ca\"").contains("https://"));
        assert!(wrong("[acme]\nchallenges = [\"dns-01\"]").contains("neither http-01 nor"));
        assert!(wrong("[acme]\nchallenges = []").contains("at least one"));
        assert!(wrong("[acme]\ndomains = [\"a@b@c\"]").contains("acme.domains"));
    }
}
