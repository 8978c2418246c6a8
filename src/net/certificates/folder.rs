//! The pairs in a folder, in either of two layouts: `NAME/fullchain.pem` and `NAME/privkey.pem`,
//! as certbot keeps them under `live`; or `NAME.crt` or `NAME.pem`, and `NAME.key`.

use super::Pair;
use crate::certificate::CertificateError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// All of them, by name.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn pairs(folder: &Path, troubles: &mut Vec<CertificateError>) -> io::Result<Vec<Pair>> {
    let files = folder.read_dir()?.map(|entry| Ok(entry?.path()));
    let mut files = files.collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    let mut pairs = Vec::new();
    for file in files {
        if let Some(pair) = beneath(&file) {
            pairs.push(pair);
        } else if file.extension().is_some_and(|of| of == "key") {
            match beside(&file) {
                Some(certificate) => pairs.push(Pair { certificate, key: file }),
                None => troubles.push(CertificateError::Alone(file)),
            }
        }
    }
    Ok(pairs)
}

fn beneath(folder: &Path) -> Option<Pair> {
    let pair = Pair { certificate: folder.join("fullchain.pem"), key: folder.join("privkey.pem") };
    // With one of them missing it is a pair that cannot be read, and somebody should hear of it.
    (pair.certificate.exists() || pair.key.exists()).then_some(pair)
}

fn beside(key: &Path) -> Option<PathBuf> {
    let files = ["crt", "pem"].map(|of| key.with_extension(of));
    files.into_iter().find(|file| file.exists())
}
