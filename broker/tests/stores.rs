//! What every store promises.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

use credence_broker::store::{FileStore, MemoryStore, note_refusal};
use credence_broker::{StoreError, TokenKey, TokenStore};
use credence_core::Environment;
use credence_core::token::Record;

fn key(collection: &str) -> TokenKey {
    TokenKey::new(collection, Environment::Live)
}

fn record(generation: u64) -> Record {
    Record {
        generation,
        ..Record::default()
    }
}

async fn keeps_what_it_promises<S: TokenStore>(store: S) {
    let (here, there) = (key("here"), key("there"));
    assert_eq!(store.load(&here).await, Ok(None));

    let first = store.save(&here, &record(1), None).await.unwrap();
    assert_eq!(store.load(&there).await, Ok(None));
    let conflict = Err(StoreError::Conflict);
    assert_eq!(store.save(&here, &record(2), None).await, conflict);

    let second = store.save(&here, &record(2), Some(&first)).await.unwrap();
    assert_eq!(store.save(&here, &record(3), Some(&first)).await, conflict);
    let loaded = store.load(&here).await.unwrap().unwrap();
    assert_eq!((loaded.record, &loaded.version), (record(2), &second));

    note_refusal(&store, &here, 1).await.unwrap();
    assert_eq!(store.load(&here).await.unwrap().unwrap().version, second);
    note_refusal(&store, &here, 2).await.unwrap();
    let noted = store.load(&here).await.unwrap().unwrap();
    assert_eq!(noted.record.refused, Some(2));
    note_refusal(&store, &there, 2).await.unwrap();
    assert_eq!(store.load(&there).await, Ok(None));

    store.remove(&here).await.unwrap();
    store.remove(&here).await.unwrap();
    assert_eq!(store.load(&here).await, Ok(None));
    assert_eq!(
        store.save(&here, &record(4), Some(&noted.version)).await,
        conflict
    );
}

#[tokio::test]
async fn the_store_in_memory_does() {
    keeps_what_it_promises(MemoryStore::default()).await;
}

#[tokio::test]
async fn the_store_in_files_does() {
    let folder = tempfile::tempdir().unwrap();
    keeps_what_it_promises(FileStore::new(folder.path())).await;
}

/// Two processes of one user share the folder.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_write_at_once_exactly_one_wins_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("here");
    let writer = |first: u64| {
        let store = FileStore::new(folder.path());
        let key = key.clone();
        tokio::spawn(async move {
            let mut won = 0;
            for n in 0..20 {
                let (record, version) = match store.load(&key).await.unwrap() {
                    Some(stored) => (stored.record, Some(stored.version)),
                    None => (Record::default(), None),
                };
                let next = Record {
                    generation: record.generation + 1,
                    // So that no two write the same.
                    refused: Some(first + n),
                    ..record
                };
                match store.save(&key, &next, version.as_ref()).await {
                    Ok(_) => won += 1,
                    Err(error) => assert_eq!(error, StoreError::Conflict),
                }
            }
            won
        })
    };
    let writers: Vec<_> = (0..4).map(|n| writer(n * 1000)).collect();
    let mut won = 0;
    for writer in writers {
        won += writer.await.unwrap();
    }
    let store = FileStore::new(folder.path());
    let stored = store.load(&key).await.unwrap().unwrap();
    assert_eq!(stored.record.generation, won);
}
