//! Why a collection could not be resolved: a closed list.

use crate::bundle::Unavailable;

/// The reason of a condition `CredentialsResolved=False`. Objects, metrics and
/// documentation spell it as [`Reason::as_str`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A value refers to a Secret, but the environment names none.
    SecretRefMissing,
    /// The named Secret does not exist.
    SecretNotFound,
    /// The Secret is of a type that is never sent anywhere.
    SecretTypeForbidden,
    /// The Secret is not of the type that holds what is needed.
    SecretTypeUnexpected,
    /// The Secret's label reserves it for the other environment.
    SecretOfOtherEnvironment,
    /// The Secret has no such key.
    SecretKeyMissing,
    /// The value of the key is empty.
    SecretValueEmpty,
    /// The value of the key is not UTF-8.
    SecretValueNotText,
    /// The value of the key is not JSON, and a pointer leads into it.
    SecretValueNotJson,
    /// The JSON value has no such member.
    SecretMemberMissing,
    /// What the Secret holds cannot be sent where it is to be placed.
    SecretValueInvalid,
    /// The environment's `values` have no such name.
    ValueMissing,
    /// The value of that name is empty.
    ValueEmpty,
    /// The value cannot be sent where it is to be placed.
    ValueInvalid,
    /// Neither the collection nor the environment says where calls go.
    BaseUrlMissing,
    /// What they say is no base URL.
    BaseUrlInvalid,
    /// They say `http://`, and the environment does not allow it.
    BaseUrlInsecure,
    /// What should be the URL of the token endpoint is none.
    TokenUrlInvalid,
    /// It says `http://`, and the environment does not allow it.
    TokenUrlInsecure,
    /// What a credential comes from is the same in both environments, and the
    /// collection does not say that it is meant for this one.
    EnvironmentMissing,
    /// A cluster is to issue a token, and there is none.
    ClusterMissing,
    /// The ConfigMap with certificates does not exist.
    ConfigMapNotFound,
    /// The ConfigMap with certificates has no such key.
    ConfigMapKeyMissing,
    /// What is at that key is no PEM certificate.
    CertificatesInvalid,
    /// What should sign a JWT is no key for it.
    SigningKeyInvalid,
    /// What should be the client certificate is none.
    ClientCertificateInvalid,
    /// What should be its private key is none that can be used.
    ClientKeyInvalid,
    /// The private key is protected by a password.
    ClientKeyEncrypted,
    /// The private key belongs to another certificate.
    ClientKeyMismatch,
    /// The client certificate is not valid yet.
    ClientCertificateNotYetValid,
    /// The client certificate is not valid any more.
    ClientCertificateExpired,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::SecretRefMissing,
        Self::SecretNotFound,
        Self::SecretTypeForbidden,
        Self::SecretTypeUnexpected,
        Self::SecretOfOtherEnvironment,
        Self::SecretKeyMissing,
        Self::SecretValueEmpty,
        Self::SecretValueNotText,
        Self::SecretValueNotJson,
        Self::SecretMemberMissing,
        Self::SecretValueInvalid,
        Self::ValueMissing,
        Self::ValueEmpty,
        Self::ValueInvalid,
        Self::BaseUrlMissing,
        Self::BaseUrlInvalid,
        Self::BaseUrlInsecure,
        Self::TokenUrlInvalid,
        Self::TokenUrlInsecure,
        Self::EnvironmentMissing,
        Self::ClusterMissing,
        Self::ConfigMapNotFound,
        Self::ConfigMapKeyMissing,
        Self::CertificatesInvalid,
        Self::SigningKeyInvalid,
        Self::ClientCertificateInvalid,
        Self::ClientKeyInvalid,
        Self::ClientKeyEncrypted,
        Self::ClientKeyMismatch,
        Self::ClientCertificateNotYetValid,
        Self::ClientCertificateExpired,
    ];

    /// In CamelCase, as conditions want it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretRefMissing => "SecretRefMissing",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretTypeForbidden => "SecretTypeForbidden",
            Self::SecretTypeUnexpected => "SecretTypeUnexpected",
            Self::SecretOfOtherEnvironment => "SecretOfOtherEnvironment",
            Self::SecretKeyMissing => "SecretKeyMissing",
            Self::SecretValueEmpty => "SecretValueEmpty",
            Self::SecretValueNotText => "SecretValueNotText",
            Self::SecretValueNotJson => "SecretValueNotJson",
            Self::SecretMemberMissing => "SecretMemberMissing",
            Self::SecretValueInvalid => "SecretValueInvalid",
            Self::ValueMissing => "ValueMissing",
            Self::ValueEmpty => "ValueEmpty",
            Self::ValueInvalid => "ValueInvalid",
            Self::BaseUrlMissing => "BaseUrlMissing",
            Self::BaseUrlInvalid => "BaseUrlInvalid",
            Self::BaseUrlInsecure => "BaseUrlInsecure",
            Self::TokenUrlInvalid => "TokenUrlInvalid",
            Self::TokenUrlInsecure => "TokenUrlInsecure",
            Self::EnvironmentMissing => "EnvironmentMissing",
            Self::ClusterMissing => "ClusterMissing",
            Self::ConfigMapNotFound => "ConfigMapNotFound",
            Self::ConfigMapKeyMissing => "ConfigMapKeyMissing",
            Self::CertificatesInvalid => "CertificatesInvalid",
            Self::SigningKeyInvalid => "SigningKeyInvalid",
            Self::ClientCertificateInvalid => "ClientCertificateInvalid",
            Self::ClientKeyInvalid => "ClientKeyInvalid",
            Self::ClientKeyEncrypted => "ClientKeyEncrypted",
            Self::ClientKeyMismatch => "ClientKeyMismatch",
            Self::ClientCertificateNotYetValid => "ClientCertificateNotYetValid",
            Self::ClientCertificateExpired => "ClientCertificateExpired",
        }
    }

    /// What an app that calls the collection hears.
    pub const fn unavailable(self) -> Unavailable {
        match self {
            Self::SecretRefMissing
            | Self::SecretNotFound
            | Self::SecretTypeForbidden
            | Self::SecretTypeUnexpected
            | Self::SecretOfOtherEnvironment
            | Self::SecretKeyMissing
            | Self::SecretValueEmpty
            | Self::SecretValueNotText
            | Self::SecretValueNotJson
            | Self::SecretMemberMissing
            | Self::SecretValueInvalid
            | Self::SigningKeyInvalid
            | Self::ClientCertificateInvalid
            | Self::ClientKeyInvalid
            | Self::ClientKeyEncrypted
            | Self::ClientKeyMismatch
            | Self::ClientCertificateNotYetValid
            | Self::ClientCertificateExpired => Unavailable::CredentialsMissing,
            Self::ValueMissing
            | Self::ValueEmpty
            | Self::ValueInvalid
            | Self::BaseUrlMissing
            | Self::BaseUrlInvalid
            | Self::BaseUrlInsecure
            | Self::TokenUrlInvalid
            | Self::TokenUrlInsecure
            | Self::EnvironmentMissing
            | Self::ClusterMissing
            | Self::ConfigMapNotFound
            | Self::ConfigMapKeyMissing
            | Self::CertificatesInvalid => Unavailable::NotReady,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_camel_case_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Reason::ALL.map(Reason::as_str).into();
        assert_eq!(words.len(), Reason::ALL.len());
        for word in words {
            assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{word}");
            assert!(word.bytes().all(|b| b.is_ascii_alphanumeric()), "{word}");
        }
    }

    #[test]
    fn a_reason_about_a_credential_is_told_to_the_app_as_missing_credentials() {
        for reason in Reason::ALL {
            let word = reason.as_str();
            let about_secret = ["Secret", "Client", "SigningKey"]
                .iter()
                .any(|of_secret| word.starts_with(of_secret));
            let told = reason.unavailable() == Unavailable::CredentialsMissing;
            assert_eq!(told, about_secret, "{reason}");
        }
    }
}
