//! What Helm refuses to render.

use crate::helm::Helm;

#[test]
fn values_that_do_nothing_are_refused() {
    let Some(helm) = Helm::get() else { return };
    for value in [
        "replicas=3",
        "operator.replica=3",
        "operator.replicas=0",
        "operator.resources.request.cpu=1",
        "operator.imagePullSecrets[0].secret=x",
        "image.operator.version=1",
        "image.sidecar.digest=sha256:abc",
        "crds.keep=true",
        "policies.enabled=true",
        "policies.environment=no-thanks",
        "injector.failurePolicy=Warn",
        "networkPolicy.apiServers={api.example.com}",
        "networkPolicy.apiServerPorts={0}",
        "networkPolicy.tokenEndpoints={auth.example.com}",
        "networkPolicy.tokenEndpointPorts={0}",
        "monitoring.enabled=true",
        "monitoring.alerts.labels.team=1",
        "rbac.clusterWideSecrets=shop",
        "credentialNamespaces=shop",
        "sidecar.httpsProxy=http://user:password@proxy:3128",
        "sidecar.httpsProxy=https://proxy:3128",
        "credentialNamespaces={Shop}",
        "clusterCredentials.namespace=",
        "clusterCredentials.create=true",
        "serviceAccountTokens={reporter}",
        "serviceAccountTokens[0].namespace=shop",
        "serviceAccountTokens[0].name=*,serviceAccountTokens[0].namespace=shop",
        "serviceAccountTokens[0].name=a,serviceAccountTokens[0].namespace=shop,serviceAccountTokens[0].audience=b",
    ] {
        let output = helm.template(&["--set", value]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{value} is accepted");
        assert!(said.contains("schema"), "{value}: {said}");
    }
}

#[test]
fn the_operators_own_namespace_is_none_for_credentials() {
    let Some(helm) = Helm::get() else { return };
    let output = helm.template(&["--set", "clusterCredentials.namespace=credence-system"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it is accepted");
    assert!(said.contains("must not be the operator's own"), "{said}");
}

#[test]
fn the_operator_issues_no_tokens_of_its_own_namespace() {
    let Some(helm) = Helm::get() else { return };
    let account = "serviceAccountTokens[0].name=credence-operator";
    let namespace = "serviceAccountTokens[0].namespace=credence-system";
    let output = helm.template(&["--set", account, "--set", namespace]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it is accepted");
    assert!(said.contains("of the operator's own namespace"), "{said}");
}

#[test]
fn a_kubernetes_without_stable_sidecars_is_refused() {
    let Some(helm) = Helm::get() else { return };
    let with = |version| helm.template(&["--kube-version", version]).status.success();
    assert!(!with("1.32.9"));
    assert!(with("1.33.0"));
    assert!(with("1.33.4-gke.1036000"));
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    let Some(helm) = Helm::get() else { return };
    let output = helm.lint();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
