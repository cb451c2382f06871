//! Reads the pages of a list of tasks.

use std::sync::Arc;

use crate::engine::error::Result;
use crate::engine::http::Http;
use crate::engine::http::call::{Call, Options};
use crate::engine::operations::ListOperation;
use crate::engine::page::Extent;
use crate::engine::page::Page;
use crate::engine::service::Service;

/// Reads one page. `number` and `size` are for lists that are paginated.
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
        // The service responds like this for an account without tasks. A 404 without its message may come from a proxy, and
        // an empty list would suggest that it is safe to pay again.
        Err(error) if error.status() == Some(404) && error.has_service_message() => Ok(Page {
            tasks: Vec::new(),
            is_complete: true,
            exists: false,
            extent: Extent::default(),
        }),
        result => result,
    }
}

/// Reads a page of the maximum size, or all of a list that is not paginated.
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
