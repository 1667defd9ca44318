//! `credence inject`: what the webhook does, to manifests and without a
//! cluster.
//!
//! Everything or nothing is printed: what one part of the input is refused for
//! must not leave the rest half applied.

mod roots;
mod templates;

use std::fmt;
use std::io::{Read as _, Write};
use std::path::Path;

use anyhow::Context as _;
use credence_core::{Environment, names};
use credence_operator::inject::{
    Bounds, Decision, EgressProxy, InjectSettings, InvalidProxyUrl, Namespace, Skip, Warning,
    decide, named_collections,
};
use serde_json::{Map, Value, json};

use crate::args::InjectArgs;
use crate::exit::Exit;
use crate::yaml;
use roots::Roots;

/// Reads the manifests, prints them with sidecars to `out`, and says to `told`
/// what became of each pod.
///
/// # Errors
/// When a file cannot be read, or the output not be written.
pub(crate) fn run(
    args: &InjectArgs,
    out: &mut impl Write,
    told: &mut impl Write,
) -> anyhow::Result<Exit> {
    let roots = match Roots::read(&args.feed_ca)? {
        Ok(roots) => roots,
        Err(unusable) => {
            writeln!(told, "--feed-ca {}: {unusable}", args.feed_ca.display())?;
            return Ok(Exit::Usage);
        }
    };
    if let Some(Err(invalid)) = args.collections.as_deref().map(named_collections) {
        writeln!(told, "--collections: {invalid}")?;
        return Ok(Exit::Usage);
    }
    let egress = match egress(args) {
        Ok(egress) => egress,
        Err(invalid) => {
            writeln!(told, "--https-proxy: {invalid}")?;
            return Ok(Exit::Usage);
        }
    };
    let injector = Injector {
        settings: InjectSettings {
            image: args.image.clone(),
            feed: args.feed.clone(),
            ca: roots.pem.as_str().into(),
            other_cas: Vec::new(),
            root_sha256: roots.first_sha256,
            egress,
        },
        environment: args.environment,
        collections: args.collections.as_deref(),
    };
    let mut printed = String::new();
    let mut failed = false;
    for file in &args.files {
        let text = read(file)?;
        let (documents, faults) = yaml::parse(&text);
        for fault in &faults {
            let (shown, position) = (file.display(), fault.position);
            writeln!(told, "{shown}:{position}: {}", fault.message)?;
        }
        failed |= !faults.is_empty();
        for document in documents {
            let mut object = document.value;
            for template in templates::of(&mut object) {
                let became = injector.inject(template.pod);
                failed |= matches!(became, Became::Refused(_));
                became.tell(&template.name, told)?;
            }
            printed += "---\n";
            printed += &serde_yaml::to_string(&object).context("cannot write YAML")?;
        }
    }
    if failed {
        writeln!(told, "nothing was printed")?;
        return Ok(Exit::Failed);
    }
    out.write_all(printed.as_bytes())?;
    Ok(Exit::Success)
}

/// How sidecars leave the network. The address is not read with the other
/// arguments, which are repeated when they are wrong: it may hold a password.
fn egress(args: &InjectArgs) -> Result<Option<EgressProxy>, InvalidProxyUrl> {
    let url = args.https_proxy.as_deref().filter(|url| !url.is_empty());
    let no_proxy = args.no_proxy.clone().unwrap_or_default();
    let url = url.map(str::parse).transpose()?;
    Ok(url.map(|url| EgressProxy { url, no_proxy }))
}

fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        let mut input = std::io::stdin().lock();
        input
            .read_to_string(&mut text)
            .context("cannot read the standard input")?;
    } else {
        text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(text)
}

struct Injector<'a> {
    settings: InjectSettings,
    environment: Environment,
    collections: Option<&'a str>,
}

/// What became of a pod.
enum Became {
    Injected(Vec<Warning>),
    LeftAlone(Skip),
    Refused(String),
}

impl Injector<'_> {
    fn inject(&self, pod: &mut Value) -> Became {
        if let Some(collections) = self.collections {
            annotate(pod, collections);
        }
        // Its quotas and limit ranges are known to the cluster only.
        let namespace = Namespace {
            environment: self.environment,
            bounds: Bounds::default(),
        };
        match decide(pod, &namespace, &self.settings) {
            Decision::Inject(injection) => match applied(pod, json!(injection.patch)) {
                Some(patched) => {
                    *pod = patched;
                    Became::Injected(injection.warnings)
                }
                None => Became::Refused("its metadata is no map".to_owned()),
            },
            Decision::Skip(skip) => Became::LeftAlone(skip),
            Decision::Deny(denial) => Became::Refused(denial.to_string()),
        }
    }
}

/// Names the collections where the pod does not name its own.
fn annotate(pod: &mut Value, collections: &str) {
    let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = Value::Object(Map::new());
    }
    if let Some(annotations) = annotations.as_object_mut() {
        let annotation = annotations.entry(names::COLLECTIONS);
        annotation.or_insert_with(|| collections.into());
    }
}

fn applied(pod: &Value, patch: Value) -> Option<Value> {
    let patch: json_patch::Patch = serde_json::from_value(patch).ok()?;
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).ok()?;
    Some(patched)
}

impl Became {
    fn tell(&self, name: &str, told: &mut impl Write) -> std::io::Result<()> {
        let mut say = |what: &dyn fmt::Display| writeln!(told, "{name}: {what}");
        match self {
            Self::Injected(warnings) => {
                say(&"injected")?;
                warnings
                    .iter()
                    .try_for_each(|warning| say(&format_args!("warning: {warning}")))
            }
            Self::LeftAlone(skip) => match skip.warning() {
                Some(why) => say(&format_args!("left as it is ({}): {why}", skip.as_str())),
                None => say(&format_args!("left as it is ({})", skip.as_str())),
            },
            Self::Refused(why) => say(&format_args!("refused: {why}")),
        }
    }
}
