//! Writes the definitions into `crds/yaml`.

use std::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    for definition in [
        credence_crds::definition(),
        credence_crds::cluster_definition(),
    ] {
        let options = serde_yaml::ser_options! {
            // A rule is easier to read on one line than folded into several.
            folded_wrap_chars: usize::MAX,
            min_fold_chars: usize::MAX,
        };
        let path = folder.join(format!("{}.yaml", definition.spec.names.plural));
        let definition = serde_yaml::to_string_with_options(&definition, options)?;
        let text =
            format!("# Generated from the types in crds/src by \"make generate\".\n{definition}");
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}
