//! Assigns new tasks to creates.

use std::collections::{BTreeSet, HashMap};

/// The one task that can belong to each create only; `None` for a create without such a task or with several. `candidates` are
/// the tasks that may belong to each create.
pub(super) fn exclusive_tasks(candidates: &[BTreeSet<String>]) -> Vec<Option<&str>> {
    let mut creates: HashMap<&str, usize> = HashMap::new();
    for task in candidates.iter().flatten() {
        *creates.entry(task).or_default() += 1;
    }
    let exclusive = candidates.iter().map(|tasks| {
        let mut exclusive = tasks.iter().filter(|task| creates[task.as_str()] == 1);
        let task = exclusive.next()?;
        exclusive.next().is_none().then_some(task.as_str())
    });
    exclusive.collect()
}
