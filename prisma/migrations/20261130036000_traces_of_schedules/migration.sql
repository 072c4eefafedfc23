-- W3C trace context of the request that created the schedule, or changed it last. The traces of its sends link to it.
alter table schedules add column traceparent text;
