//! What may cross threads: every public type that a program keeps.

use kling_omni::*;

fn is_shared<T: Send + Sync + 'static>() {}
fn is_sent<T: Send + 'static>() {}

#[test]
fn types_that_are_kept_are_send_sync_and_static() {
    is_shared::<ApiKey>();
    is_shared::<Client>();
    is_shared::<ClientBuilder>();
    is_shared::<Error>();
    is_shared::<Task>();
    is_shared::<Video>();
    is_shared::<VideoReference>();
    is_shared::<TextToVideo>();
    is_shared::<client::Health>();
    is_shared::<clock::ManualClock>();
    is_shared::<journal::Journal>();
    is_shared::<polling::PollSchedule>();
    is_shared::<polling::TaskDurations>();
    is_shared::<preflight::PreflightReport>();
    is_shared::<recovery::UnconfirmedCreate>();
    is_shared::<request::Request>();
    is_shared::<upload::LocalFile>();
    is_shared::<upload::ObjectStoreUploader>();
    is_shared::<upload::ServiceUploader>();
    is_shared::<validation::ValidationError>();
    is_shared::<webhook::Endpoint>();
    is_shared::<webhook::WebhookReceiver>();
    is_shared::<webhook::Verifier>();
}

#[test]
fn what_is_awaited_or_read_is_send_and_static() {
    fn future<T: IntoFuture<IntoFuture: Send + 'static> + Send + 'static>() {}
    future::<Create>();
    future::<download::Save>();
    future::<polling::List>();
    future::<polling::Wait>();
    future::<preflight::Preflight>();
    future::<recovery::Reconcile>();
    future::<upload::Upload>();
    future::<upload::UploadAll>();
    is_sent::<CreateOutcome>();
    is_sent::<download::Download>();
    is_sent::<polling::AsCompleted>();
    is_sent::<polling::ListStream>();
    is_sent::<polling::Updates>();
    is_sent::<polling::Watch>();
    is_sent::<webhook::Deliveries>();
}
