//! Secrets from the process's environment, for `--env-secrets`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use credence_core::resolve::{Material, SecretObject};
use zeroize::Zeroizing;

/// The variables of a process. Its `Debug` shows nothing of them.
#[derive(Clone, Default)]
pub(crate) struct Variables(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables(…)")
    }
}

impl Variables {
    /// Those of this process. Values need not be text.
    pub(crate) fn of_process() -> Self {
        use std::os::unix::ffi::OsStringExt as _;
        std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.into_string().ok()?;
                Some((name, Zeroizing::new(value.into_vec())))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect::<BTreeMap<_, _>>()
            .into()
    }

    /// Puts the value of every variable that is set in the place of the key
    /// that it stands for, and returns the variables that are not set though
    /// nothing else gives their keys.
    pub(crate) fn fill(
        &self,
        material: &mut Material,
        keys: &BTreeMap<String, BTreeSet<String>>,
    ) -> Vec<String> {
        let mut unset = Vec::new();
        for (name, keys) in keys {
            let secret = material
                .secrets
                .entry(name.clone())
                .or_insert_with(|| SecretObject {
                    // As `kubectl create secret` makes it from such keys.
                    kind: match keys.contains("tls.key") {
                        true => "kubernetes.io/tls".to_owned(),
                        false => "Opaque".to_owned(),
                    },
                    ..SecretObject::default()
                });
            for key in keys {
                let variable = variable(name, key);
                match self.0.get(&variable) {
                    Some(value) => _ = secret.data.insert(key.clone(), value.clone()),
                    None if secret.data.contains_key(key) => {}
                    None => unset.push(variable),
                }
            }
        }
        unset
    }
}

impl From<BTreeMap<String, Zeroizing<Vec<u8>>>> for Variables {
    fn from(variables: BTreeMap<String, Zeroizing<Vec<u8>>>) -> Self {
        Self(variables)
    }
}

/// The variable that stands for a key of a Secret.
fn variable(secret: &str, key: &str) -> String {
    format!("{secret}_{key}")
        .chars()
        .map(|c| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_uppercase(),
            false => '_',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &[(&str, &str)]) -> Variables {
        let set = set.iter().map(|(name, value)| {
            let value = value.as_bytes().to_vec();
            ((*name).to_owned(), Zeroizing::new(value))
        });
        set.collect::<BTreeMap<_, _>>().into()
    }

    fn keys(secret: &str, keys: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        BTreeMap::from([(secret.to_owned(), keys)])
    }

    #[test]
    fn names_are_upper_case_with_underscores() {
        for (secret, key, name) in [
            ("openai-dev", "api-key", "OPENAI_DEV_API_KEY"),
            ("bank", "tls.crt", "BANK_TLS_CRT"),
            ("2fa.x", "a_b", "2FA_X_A_B"),
        ] {
            assert_eq!(variable(secret, key), name);
        }
    }

    #[test]
    fn variables_make_up_for_documents_and_win_over_them() {
        let mut material = Material::default();
        let unset = variables(&[("CHAT_KEY", "v1"), ("CHAT_OTHER", "v2")])
            .fill(&mut material, &keys("chat", &["key", "id"]));
        assert_eq!(unset, ["CHAT_ID"]);
        let chat = &material.secrets["chat"];
        assert_eq!(*chat.data["key"], b"v1");
        // Only what is referred to is taken.
        assert_eq!(chat.data.len(), 1);
        let unset = variables(&[("CHAT_KEY", "v3")]).fill(&mut material, &keys("chat", &["key"]));
        assert_eq!(unset, [""; 0]);
        assert_eq!(*material.secrets["chat"].data["key"], b"v3");
        let unset = variables(&[]).fill(&mut material, &keys("chat", &["key"]));
        assert_eq!(unset, [""; 0]);
        assert_eq!(*material.secrets["chat"].data["key"], b"v3");
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", variables(&[("CHAT_KEY", "v1")]));
        assert_eq!(shown, "Variables(…)");
    }
}
