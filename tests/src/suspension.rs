//! Policies that are out of force for a while, so that what stands behind them
//! is seen to hold by itself.

use anyhow::Result;

use crate::kubectl::Kubectl;

/// Policies whose bindings only audit; dropping it puts them into force again.
pub struct Suspension<'a> {
    kubectl: &'a Kubectl,
    policies: &'a [&'a str],
}

impl<'a> Suspension<'a> {
    /// Suspends the policies whose bindings have these names. The API server
    /// takes a moment to see it.
    ///
    /// # Errors
    /// There is no such binding.
    pub fn of(kubectl: &'a Kubectl, policies: &'a [&'a str]) -> Result<Self> {
        let suspension = Self { kubectl, policies };
        suspension.set("Audit")?;
        Ok(suspension)
    }

    fn set(&self, action: &str) -> Result<()> {
        let patch = format!(r#"{{"spec":{{"validationActions":["{action}"]}}}}"#);
        for policy in self.policies {
            let kind = "validatingadmissionpolicybinding";
            self.kubectl
                .run(&["patch", kind, policy, "--type=merge", "-p", &patch])?;
        }
        Ok(())
    }
}

impl Drop for Suspension<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.set("Deny") {
            eprintln!("the policies are still suspended: {error:#}");
        }
    }
}
