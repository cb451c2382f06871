//! A guide by topic. Each page opens with the code that most people look for.
//!
//! | you want to | page |
//! | --- | --- |
//! | make a first video, or understand a compiler error | [`getting_started`] |
//! | use text, shots, elements, motion control | [`requests`] |
//! | know whether an error cost money, and find a task whose response was lost | [`errors`] |
//! | wait, poll less or sooner, resume a task | [`waiting`] |
//! | save a video, or stream it | [`downloads`] |
//! | receive webhooks | [`webhooks`] |
//! | use local files, upload them, check them without paying | [`files`] |
//! | make many videos with limits on concurrency, rate and spending | [`many_tasks`] |
//! | survive crashes and restarts | [`services`] |
//! | test your own code | [`testing`] |
//! | call it without async | [`blocking`] |
//! | set timeouts, proxies, an HTTP client of your own | [`http`] |
//! | see what it does | [`tracing`] |
//!
//! Each example is compiled, and most of them run against the sandbox, with the tests of this crate.

#[doc = include_str!("../guide/getting-started.md")]
pub mod getting_started {}

#[doc = include_str!("../guide/requests.md")]
pub mod requests {}

#[doc = include_str!("../guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../guide/waiting.md")]
pub mod waiting {}

#[doc = include_str!("../guide/downloads.md")]
pub mod downloads {}

#[doc = include_str!("../guide/webhooks.md")]
pub mod webhooks {}

#[doc = include_str!("../guide/files.md")]
pub mod files {}

#[doc = include_str!("../guide/many-tasks.md")]
pub mod many_tasks {}

#[doc = include_str!("../guide/services.md")]
pub mod services {}

#[doc = include_str!("../guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../guide/blocking.md")]
pub mod blocking {}

#[doc = include_str!("../guide/http.md")]
pub mod http {}

#[doc = include_str!("../guide/tracing.md")]
pub mod tracing {}
