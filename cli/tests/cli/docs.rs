use std::path::Path;

use crate::command::{output, text};
use crate::folder::Folder;

/// The YAML of a text's fenced blocks and here-documents.
fn manifests(markdown: &str) -> Vec<&str> {
    let between = |begin, end| {
        let blocks = markdown.split(begin).skip(1);
        blocks.filter_map(move |rest| rest.split(end).next())
    };
    between("```yaml\n", "```")
        .chain(between("<<'YAML'\n", "YAML\n"))
        .collect()
}

#[test]
fn the_manifests_in_the_documentation_have_no_error() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for document in ["README.md", "docs/guide.md"] {
        let markdown = std::fs::read_to_string(root.join(document)).unwrap();
        let manifests = manifests(&markdown);
        assert!(!manifests.is_empty(), "{document}");
        for manifest in manifests {
            let folder = Folder::empty().with("shop/manifest.yaml", manifest);
            let ended = output(folder.path(), &["lint", "shop"]);
            let printed = text(&ended.stdout);
            assert_eq!(
                ended.status.code(),
                Some(0),
                "{document}:\n{manifest}\n{printed}"
            );
        }
    }
}
