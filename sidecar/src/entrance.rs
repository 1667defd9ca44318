//! By which port a client came in.

use credence_core::CollectionName;

/// What the root of a client's paths is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// All collections, by the first segment.
    Main,
    /// One collection, which has a port of its own.
    Own(CollectionName),
}

impl Entrance {
    /// The path that a client uses for this path of a collection. `rest` is
    /// empty or begins with a slash, a question mark or a number sign.
    pub(crate) fn write_path(&self, collection: &CollectionName, rest: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Main => {
                out.push(b'/');
                out.extend_from_slice(collection.as_str().as_bytes());
            }
            // Nothing stands before the rest, and a path is never empty.
            Self::Own(_) if !rest.starts_with(b"/") => out.push(b'/'),
            Self::Own(_) => {}
        }
        out.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_its_own_has_no_segment_for_the_collection() {
        let name: CollectionName = "api".parse().unwrap();
        for (rest, main, own) in [
            ("", "/api", "/"),
            ("/", "/api/", "/"),
            ("/a?b", "/api/a?b", "/a?b"),
            ("?b", "/api?b", "/?b"),
        ] {
            let written = |entrance: &Entrance| {
                let mut out = Vec::new();
                entrance.write_path(&name, rest.as_bytes(), &mut out);
                String::from_utf8(out).unwrap()
            };
            assert_eq!(written(&Entrance::Main), main);
            assert_eq!(written(&Entrance::Own(name.clone())), own);
        }
    }
}
