//! What is counted, and under which collection.

use crate::provider::Provider;
use crate::rig::Rig;

fn requests(rig: &Rig) -> Vec<String> {
    rig.handle
        .metrics()
        .render()
        .lines()
        .filter_map(|line| line.strip_prefix("credence_requests_total"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn answers_are_counted_by_collection_and_by_who_made_them() {
    let provider = Provider::answering("HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n").await;
    let rig = Rig::with(&provider);
    let mut caller = rig.caller().await;
    caller.get("/api/a").await;
    caller.get("/api/b").await;
    caller.get("/api/../c").await;
    caller.get("/nobody").await;
    // Its own answer says that all before it were counted.
    caller.get("/").await;
    assert_eq!(
        requests(&rig),
        [
            r#"{collection="",method="GET",code_class="2xx",source="sidecar"} 1"#,
            r#"{collection="",method="GET",code_class="4xx",source="sidecar"} 2"#,
            r#"{collection="api",method="GET",code_class="2xx",source="upstream"} 2"#,
        ]
    );
    let open = "\ncredence_upstream_connections 1\n";
    assert!(rig.handle.metrics().render().contains(open));
}
