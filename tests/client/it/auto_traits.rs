//! The auto traits of public types.

use kling_omni::*;

fn assert_shared<T: Send + Sync + 'static>() {}
fn assert_sent<T: Send + 'static>() {}

#[test]
fn public_types_are_send_sync_and_static() {
    assert_shared::<ApiKey>();
    assert_shared::<Client>();
    assert_shared::<ClientBuilder>();
    assert_shared::<Error>();
    assert_shared::<Task>();
    assert_shared::<Video>();
    assert_shared::<VideoReference>();
    assert_shared::<TextToVideo>();
    assert_shared::<client::Health>();
    assert_shared::<clock::ManualClock>();
    assert_shared::<journal::Journal>();
    assert_shared::<polling::PollSchedule>();
    assert_shared::<polling::TaskDurations>();
    assert_shared::<preflight::PreflightReport>();
    assert_shared::<recovery::KnownTasks>();
    assert_shared::<recovery::UnconfirmedCreate>();
    assert_shared::<request::Request>();
    assert_shared::<spend::PriceTable>();
    assert_shared::<spend::SpendGuard>();
    assert_shared::<upload::LocalFile>();
    assert_shared::<upload::ObjectStoreUploader>();
    assert_shared::<upload::ServiceUploader>();
    assert_shared::<validation::ValidationError>();
    assert_shared::<webhook::Endpoint>();
    assert_shared::<webhook::WebhookReceiver>();
    assert_shared::<webhook::Verifier>();
}

#[test]
fn futures_and_streams_are_send_and_static() {
    fn future<T: IntoFuture<IntoFuture: Send + 'static> + Send + 'static>() {}
    future::<Create>();
    future::<download::Save>();
    future::<journal::JournalRun<'static>>();
    future::<polling::List>();
    future::<polling::Wait>();
    future::<preflight::Preflight>();
    future::<recovery::Reconcile>();
    future::<recovery::ReconcileAll>();
    future::<recovery::Refresh>();
    future::<upload::Upload>();
    future::<upload::UploadAll>();
    assert_sent::<CreateOutcome>();
    assert_sent::<download::Download>();
    assert_sent::<polling::AsCompleted>();
    assert_sent::<polling::ListStream>();
    assert_sent::<polling::Updates>();
    assert_sent::<polling::Watch>();
    assert_sent::<webhook::Deliveries>();
}
