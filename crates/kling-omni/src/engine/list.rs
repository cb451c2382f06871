//! Reads pages of a list of tasks.

use std::sync::Arc;

use crate::engine::error::Result;
use crate::engine::http::Http;
use crate::engine::http::call::{Call, Options};
use crate::engine::operations::ListOperation;
use crate::engine::page::Extent;
use crate::engine::page::Page;
use crate::engine::service::Service;

/// Reads a page. The number and the size are those of a list that has pages.
pub(crate) async fn read_page(
    http: Arc<Http>,
    service: &dyn Service,
    operation: &'static ListOperation,
    number: Option<i32>,
    size: Option<i32>,
    options: Options,
) -> Result<Page> {
    let call = Call::new(http, options);
    match service.list(&call, operation, number, size).await {
        // An account without tasks is answered like this instead of with an empty list. A 404 in other words may
        // come from anyone on the way, and an empty list would invite a second payment.
        Err(error) if error.status() == Some(404) && error.has_words() => Ok(Page {
            tasks: Vec::new(),
            is_complete: true,
            exists: false,
            extent: Extent::default(),
        }),
        answer => answer,
    }
}

/// Reads a page of the largest size, or all of a list without pages.
pub(crate) async fn read_largest_page(
    http: Arc<Http>,
    service: &dyn Service,
    operation: &'static ListOperation,
    number: u32,
    options: Options,
) -> Result<Page> {
    let size = operation
        .max_page_size
        .and_then(|size| i32::try_from(size).ok());
    let number = size.and(i32::try_from(number).ok());
    read_page(http, service, operation, number, size, options).await
}
