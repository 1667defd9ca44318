//! Looking for planted secrets in what programs said.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter ones would be found by chance, most of all inside base64.
const SHORTEST: usize = 8;

/// What RFC 3986 leaves as it is: encoders differ in whether they touch these.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One secret in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The file below the folder searched.
    pub file: PathBuf,
    /// Which of the secrets, counted from 0: the value itself is not repeated.
    pub secret: usize,
    /// The form that it was found in.
    pub form: &'static str,
}

/// Every place in the folder `collected` where one of the `planted` secrets
/// stands: as it is, as a JSON string, base64 (also in the middle of a longer
/// text, whatever its alignment), base64url, percent-encoded.
///
/// # Errors
/// A file cannot be read, the folder holds no file at all (then something
/// else is wrong), or a secret is too short to be searched for.
pub fn leaks(collected: &Path, planted: &[&str]) -> Result<Vec<Leak>> {
    let forms = all_forms(planted)?;
    let files = files(collected)?;
    if files.is_empty() {
        bail!("nothing was collected in {}", collected.display());
    }
    let mut found = Vec::new();
    for file in files {
        let content = fs::read(&file)?;
        for (secret, form, bytes) in &forms {
            if memmem::find(&content, bytes).is_some() {
                let file = file.strip_prefix(collected).unwrap_or(&file).to_owned();
                found.push(Leak {
                    file,
                    secret: *secret,
                    form,
                });
            }
        }
    }
    Ok(found)
}

/// The forms in which any of the `planted` secrets stands in `said`: none, if
/// all is well.
///
/// # Errors
/// A secret is too short to be searched for.
pub fn found(said: &str, planted: &[&str]) -> Result<Vec<&'static str>> {
    let forms = all_forms(planted)?;
    let found = forms
        .into_iter()
        .filter(|(_, _, bytes)| memmem::find(said.as_bytes(), bytes).is_some());
    Ok(found.map(|(_, form, _)| form).collect())
}

fn all_forms(planted: &[&str]) -> Result<Vec<(usize, &'static str, Vec<u8>)>> {
    if let Some(index) = planted.iter().position(|secret| secret.len() < SHORTEST) {
        bail!("secret {index} has fewer than {SHORTEST} bytes and would be found by chance");
    }
    let numbered = planted.iter().enumerate();
    let all = numbered.flat_map(|(index, secret)| {
        let forms = forms(secret).into_iter();
        forms.map(move |(form, bytes)| (index, form, bytes))
    });
    Ok(all.collect())
}

fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("plain", secret.as_bytes().to_vec())];
    let quoted = serde_json::Value::from(secret).to_string();
    forms.push(("JSON", quoted.as_bytes()[1..quoted.len() - 1].to_vec()));
    for before in 0..3 {
        forms.push(("base64", inner(&STANDARD_NO_PAD, secret, before)));
        forms.push(("base64url", inner(&URL_SAFE_NO_PAD, secret, before)));
    }
    for set in [NON_ALPHANUMERIC, UNRESERVED] {
        let upper = utf8_percent_encode(secret, set).to_string();
        forms.push(("percent-encoded", lower_hex(&upper).into_bytes()));
        forms.push(("percent-encoded", upper.into_bytes()));
    }
    let mut distinct: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for (form, bytes) in forms {
        if !distinct.iter().any(|(_, known)| *known == bytes) {
            distinct.push((form, bytes));
        }
    }
    distinct
}

/// The characters that base64 gives for `secret` after `before` (mod 3) bytes
/// of anything and before anything: the first and last ones that mix in a
/// neighbour's bits are left out.
fn inner(engine: &impl Engine, secret: &str, before: usize) -> Vec<u8> {
    let padded = [&[0; 2][..before], secret.as_bytes()].concat();
    let text = engine.encode(&padded);
    // A byte spans 8 bits, a character 6.
    let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    text.as_bytes().get(first..end).unwrap_or_default().to_vec()
}

/// `%2F` as `%2f`.
fn lower_hex(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    let mut hex = 0;
    for character in text.chars() {
        lower.push(if hex > 0 {
            character.to_ascii_lowercase()
        } else {
            character
        });
        hex = if character == '%' {
            2_u8
        } else {
            hex.saturating_sub(1)
        };
    }
    lower
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    const SECRET: &str = "sk-live/ä+\"7f3e9~x";

    /// The forms in which `SECRET` is found in `content`.
    fn found(content: &str) -> Vec<&'static str> {
        super::found(content, &[SECRET]).unwrap()
    }

    #[test]
    fn a_secret_is_found_plain_and_in_json() {
        assert_eq!(found(&format!("key={SECRET};")), ["plain"]);
        assert_eq!(
            found(&serde_json::json!({ "key": SECRET }).to_string()),
            ["JSON"]
        );
    }

    #[test]
    fn base64_is_found_whatever_stands_around_it() {
        for before in ["", "u", "us", "use", "user:"] {
            for after in ["", "!", "!!", "!!!"] {
                let text = format!("{before}{SECRET}{after}");
                assert!(found(&STANDARD.encode(&text)).contains(&"base64"), "{text}");
                let url = found(&URL_SAFE.encode(&text));
                // The alphabets may agree on this very text.
                assert!(
                    url.contains(&"base64url") || url.contains(&"base64"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn percent_encoding_is_found_in_either_case_and_strictness() {
        assert_eq!(
            found("x=sk-live%2F%C3%A4%2B%227f3e9~x"),
            ["percent-encoded"]
        );
        assert_eq!(
            found("x=sk-live%2f%c3%a4%2b%227f3e9~x"),
            ["percent-encoded"]
        );
        assert_eq!(
            found("x=sk%2Dlive%2F%C3%A4%2B%227f3e9%7Ex"),
            ["percent-encoded"]
        );
    }

    #[test]
    fn what_only_resembles_it_is_not_found() {
        assert!(found("sk-live/ä+\"7f3e9~").is_empty());
        assert!(found(&STANDARD.encode("sk-live/something else")).is_empty());
    }

    #[test]
    fn a_short_secret_and_an_empty_folder_are_errors() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        fs::create_dir_all(folder.join("logs"))?;
        assert!(super::found("anything", &["short"]).is_err());
        assert!(leaks(folder, &["short"]).is_err());
        assert!(leaks(folder, &[SECRET]).is_err());
        fs::write(folder.join("logs/app.log"), format!("oops {SECRET}"))?;
        fs::write(folder.join("logs/fine.log"), "nothing")?;
        let leak = Leak {
            file: PathBuf::from("logs/app.log"),
            secret: 1,
            form: "plain",
        };
        assert_eq!(leaks(folder, &["another-one", SECRET])?, [leak]);
        Ok(())
    }
}
