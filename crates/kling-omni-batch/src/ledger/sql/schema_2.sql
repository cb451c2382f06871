alter table meta add column oldest_program integer not null default 2;

alter table batch add column policy text;

create table job (
    item_id integer not null references item,
    step text not null,
    queued_at integer not null,
    primary key (item_id, step)
) strict, without rowid;
