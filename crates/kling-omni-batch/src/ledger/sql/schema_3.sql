alter table meta add column moved_to text;
alter table meta add column moved_to_salt blob;

alter table account add column moved_epoch integer;
