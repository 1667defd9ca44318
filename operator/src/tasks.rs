//! Tasks that are watched: one that ends is noticed by its name.

use std::future::Future;

use tokio::task::{AbortHandle, JoinSet};

/// Tasks with names.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<&'static str>,
    handles: Vec<(&'static str, AbortHandle)>,
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.running.spawn(async move {
            task.await;
            name
        });
        self.handles.push((name, handle));
    }

    /// Waits for the first task to end; its name, or what it died of.
    pub async fn ended(&mut self) -> String {
        match self.running.join_next().await {
            Some(Ok(name)) => name.to_owned(),
            Some(Err(error)) => error.to_string(),
            None => "none".to_owned(),
        }
    }

    /// Ends one task, and returns when it is over.
    pub async fn end(&mut self, name: &str) {
        for (_, task) in self.handles.iter().filter(|(named, _)| *named == name) {
            task.abort();
            while !task.is_finished() {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for all of them to end.
    pub async fn join(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("waits", std::future::pending());
        tasks.spawn("ends", async {});
        assert_eq!(tasks.ended().await, "ends");
        tasks.end("waits").await;
        tasks.join().await;
    }
}
