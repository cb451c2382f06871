//! An account with any number of tasks, in a list of any order.

use std::sync::{Arc, Mutex, MutexGuard};

use kling_omni_test_support::fake::{Fake, Reply, Request};
use kling_omni_test_support::setup::task;
use serde_json::json;

/// The order of the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
    ById,
}

impl Order {
    /// Renders a page of the list of tasks that were made in this order.
    pub(super) fn page(self, made: &[String], page: usize, page_size: usize) -> String {
        let mut tasks: Vec<&String> = made.iter().collect();
        match self {
            Self::NewestFirst => tasks.reverse(),
            Self::OldestFirst => {}
            Self::ById => tasks.sort(),
        }
        let tasks = tasks.into_iter().skip((page - 1) * page_size);
        let rows = tasks.take(page_size);
        let rows = rows.map(|id| json!({"task_id": id, "status": "IN_PROGRESS"}));
        json!({"data": rows.collect::<Vec<_>>()}).to_string()
    }
}

/// What happens to a create.
#[derive(Clone, Debug)]
pub(super) enum AccountAnswer {
    /// No task is made, and there is no response.
    RequestLost,
    /// A task is made, and there is no response.
    ResponseLost,
    /// The response names this task.
    AnsweredWith(String),
}

/// The account, and the server that has it. It lists the tasks of a reference video.
pub(super) struct Account {
    fake: Fake,
    state: Arc<Mutex<State>>,
}

struct State {
    order: Order,
    page_size: usize,
    /// From the oldest to the newest.
    tasks: Vec<String>,
    made: u64,
    next: Option<AccountAnswer>,
    list_requests: usize,
    /// A change after so many further requests for pages.
    change: Option<(usize, Change)>,
}

/// A change of the list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// Another client creates a task.
    Made,
    OldestRemoved,
    NewestRemoved,
}

impl Account {
    /// Starts a server whose pages have at most `page_size` tasks.
    pub(super) async fn start(order: Order, tasks: u64, page_size: usize) -> Self {
        let mut state = State {
            order,
            page_size,
            tasks: Vec::new(),
            made: 0,
            next: None,
            list_requests: 0,
            change: None,
        };
        for _ in 0..tasks {
            state.make();
        }
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        let fake = Fake::answering(move |_, request| served.lock().unwrap().answer(request)).await;
        Self { fake, state }
    }

    pub(super) fn base_url(&self) -> &str {
        self.fake.base_url()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sets what happens to the next create.
    pub(super) fn next(&self, create: AccountAnswer) {
        self.state().next = Some(create);
    }

    /// Changes the list after so many further requests for pages.
    pub(super) fn change_after(&self, requests: usize, change: Change) {
        self.state().change = Some((requests, change));
    }

    /// Makes a task for another client.
    pub(super) fn make(&self) -> String {
        self.state().make()
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.state().tasks.clone()
    }

    pub(super) fn newest(&self) -> String {
        self.state().tasks.last().unwrap().clone()
    }

    pub(super) fn remove_newest(&self) {
        self.state().tasks.pop();
    }

    pub(super) fn remove_oldest(&self) {
        self.state().tasks.remove(0);
    }

    /// Lists a new task as if the newest one were newer.
    pub(super) fn insert_second(&self) {
        self.make();
        let mut state = self.state();
        let length = state.tasks.len();
        state.tasks.swap(length - 2, length - 1);
    }

    pub(super) fn move_oldest_to_front(&self) {
        self.state().tasks.rotate_left(1);
    }

    /// The number of requests for pages since the last call.
    pub(super) fn take_list_requests(&self) -> usize {
        std::mem::take(&mut self.state().list_requests)
    }
}

impl State {
    fn make(&mut self) -> String {
        self.made += 1;
        // Ids that look random, as those of the service do.
        let mixed = self
            .made
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
        let mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let id = format!("{:08x}-4b9a-43b9-b35d-{:012}", mixed >> 32, self.made);
        self.tasks.push(id.clone());
        id
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if request.method() == "POST" {
            return match self.next.take() {
                None => Reply::json(200, &task(&self.make(), "CREATED", &[])),
                Some(AccountAnswer::AnsweredWith(id)) => {
                    Reply::json(200, &task(&id, "CREATED", &[]))
                }
                Some(AccountAnswer::RequestLost) => Reply::Drop,
                Some(AccountAnswer::ResponseLost) => {
                    self.make();
                    Reply::Drop
                }
            };
        }
        if !request.path().contains("/reference-to-video/") {
            return Reply::json(404, r#"{"message":"Tasks not found"}"#);
        }
        self.list_requests += 1;
        match self.change.take() {
            Some((0, Change::Made)) => {
                self.make();
            }
            Some((0, Change::OldestRemoved)) => {
                self.tasks.remove(0);
            }
            Some((0, Change::NewestRemoved)) => {
                self.tasks.pop();
            }
            later => self.change = later.map(|(left, change)| (left - 1, change)),
        }
        if self.tasks.is_empty() {
            return Reply::json(404, r#"{"message":"Tasks not found"}"#);
        }
        let query = request
            .path()
            .split_once('?')
            .map_or("", |(_, query)| query);
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        let page = fields.find(|(name, _)| *name == "page");
        let page: usize = page.map_or(1, |(_, page)| page.parse().unwrap());
        Reply::json(200, &self.order.page(&self.tasks, page, self.page_size))
    }
}
