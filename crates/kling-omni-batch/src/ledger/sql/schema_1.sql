create table meta (
    schema integer not null,
    written_by text not null,
    salt blob not null
) strict;

create table account (
    id integer primary key,
    service text not null,
    key_fingerprint text not null,
    holder text,
    epoch integer not null default 0,
    lease_until integer,
    known_facts text,
    unique (service, key_fingerprint)
) strict;

create table known_task (
    account_id integer not null references account,
    position integer not null,
    entry text not null,
    primary key (account_id, position)
) strict, without rowid;

create table batch (
    id integer primary key,
    name text not null unique,
    account_id integer references account,
    state text not null,
    reason text,
    created_at integer not null
) strict;

create table item (
    id integer primary key,
    batch_id integer not null references batch,
    position integer not null,
    key text not null,
    path text not null,
    request text not null,
    request_sha256 text not null,
    mode text not null,
    tier text not null,
    seconds integer not null,
    reference_video integer not null,
    state text not null,
    uploads text,
    not_before integer,
    failures integer not null default 0,
    attempts integer not null default 0,
    error_kind text,
    error text,
    unique (batch_id, position),
    unique (batch_id, key),
    unique (batch_id, path)
) strict;
create index item_by_state on item (batch_id, state, position);
create index item_by_kind on item (batch_id, mode, tier, seconds, reference_video);
create index item_by_time on item (batch_id, not_before) where not_before is not null;

create table attempt (
    id integer primary key,
    item_id integer not null references item,
    account_id integer not null references account,
    number integer not null,
    epoch integer not null,
    state text not null,
    task_id text,
    candidates text,
    failed_request text,
    unique (item_id, number),
    constraint task_once unique (account_id, task_id)
) strict;
create unique index paid_once on attempt (item_id)
    where state in ('announced', 'unknown', 'undecided', 'created');
create unique index one_unconfirmed on attempt (account_id)
    where state in ('announced', 'unknown');
create index undecided on attempt (account_id) where state = 'undecided';
create index failed_request on attempt (account_id, failed_request) where failed_request is not null;

create table record (
    attempt_id integer not null references attempt,
    number integer not null,
    json text not null,
    primary key (attempt_id, number)
) strict, without rowid;

create table file (
    item_id integer primary key references item,
    path text not null,
    bytes integer not null,
    sha256 text not null
) strict;

create table event (
    number integer primary key,
    batch_id integer not null references batch,
    item_id integer not null references item,
    at integer not null,
    state text not null,
    detail text not null
) strict;
create index event_of_item on event (item_id, number);
create index event_of_end on event (batch_id, number)
    where state in ('saved', 'rejected', 'failed', 'expired', 'unknown', 'skipped');
