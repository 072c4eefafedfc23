-- Statements that delete due rows lock their digests first, because the trigger chooses other leaders. A delivery may
-- become an item of a digest while such a statement waits for its row; then the trigger would lock the digest last, and
-- two such statements could wait for each other for ever. This fails instead, as a serialization failure: nothing is
-- written, and the statement runs again, now with the digest.
create function carillon_require_locked_digest(digest uuid, locked uuid[]) returns boolean
language plpgsql as $$
begin
  if digest is null or digest = any (locked) then
    return true;
  end if;
  raise exception 'A delivery has become an item of digest % meanwhile', digest using errcode = 'serialization_failure';
end
$$;
